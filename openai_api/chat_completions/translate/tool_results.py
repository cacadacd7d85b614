"""What tools gave back besides text: pictures, documents, sound. Pure.

An agent sends its whole history with each request, so a result that the model cannot take would end
the conversation. A text says what stood there instead; what the user sent is refused as ever.
"""

from typing import Any, Final

from catalog.classify.facts import ChatFacts
from openai_api.chat_completions.request import become_text, is_broken_picture
from openai_api.chat_completions.translate.documents import LONGEST_NAME_SHOWN, is_unread
from openai_api.chat_completions.translate.text_files import text_of_file

NO_EYES: Final = "[image: this model sees no pictures]"
BROKEN: Final = "[image: its data is that of no picture]"

Messages = list[dict[str, Any]]


def fit_results(messages: Messages, facts: ChatFacts) -> None:
    """Replaces, in place, the parts of tools' results that this model cannot take."""
    is_blind = facts.schema_known and not facts.vision
    for message in messages:
        content = message.get("content")
        if not _is_result(message) or not isinstance(content, list):
            continue
        for part in content:
            kind = part["type"]
            if kind == "image_url" and is_blind:
                become_text(part, NO_EYES)
            elif kind == "image_url" and is_broken_picture(_url_of(part)):
                become_text(part, BROKEN)
            elif kind == "file" and not is_unread(part):
                become_text(part, _told(part["file"]))
            elif kind == "input_audio":
                become_text(part, "[audio: it could not be passed on to this model]")


def pictures_after_results(messages: Messages) -> Messages:
    """The messages with the pictures of tools in the user's words after the last result: a tool's
    own message holds text only.
    """
    if not any(_is_result(message) and _pictures(message) for message in messages):
        return messages
    moved: Messages = []
    shown: list[dict[str, Any]] = []
    for message in messages:
        if _is_result(message):
            pictures = _pictures(message)
            if pictures:
                shown += pictures
                rest = [part for part in message["content"] if part["type"] != "image_url"]
                message = {**message, "content": rest}
        elif shown:
            moved.append(_showing(shown))
            shown = []
            if message["role"] == "user":
                words = message.get("content") or []
                if isinstance(words, str):
                    words = [{"type": "text", "text": words}]
                moved[-1]["content"] += words
                continue
        moved.append(message)
    if shown:
        moved.append(_showing(shown))
    return moved


def _is_result(message: dict[str, Any]) -> bool:
    return message["role"] in ("tool", "function")


def _pictures(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if not isinstance(content, list):
        return []
    return [part for part in content if part["type"] == "image_url"]


def _showing(pictures: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "role": "user",
        "content": [{"type": "text", "text": "What the tool showed:"}, *pictures],
    }


def _url_of(part: dict[str, Any]) -> str:
    image = part["image_url"]
    return str(image["url"] if isinstance(image, dict) else image)


def _told(file: dict[str, Any]) -> str:
    text = text_of_file(file)
    if text is not None:
        return text
    name = file.get("filename")
    called = f" {name[:LONGEST_NAME_SHOWN]}" if isinstance(name, str) and name else ""
    return f"[document{called}: it could not be shown to this model]"
