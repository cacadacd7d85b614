"""A Messages request → the chat request that asks for the same. Pure.

Comes in: a MessagesRequest. Goes out: a ChatRequest, and its pictures under the names they have in
the caller's own request.
"""

from typing import Any

import orjson

from openai_api.chat_completions.pictures import NamedPart
from openai_api.chat_completions.request import ChatRequest
from openai_api.chat_completions.sealed import opened
from openai_api.messages.request import (
    PASSING,
    TOOL_CHANGES,
    Blocks,
    MessagesRequest,
    unreadable,
)
from openai_api.wire.left_in_body import behind
from openai_api.wire.tool_lists import ToolList

# Claude Code begins its system prompt with a billing line that differs in every request; with it a
# model's prompt cache would never find the same beginning.
_BILLING = "x-anthropic-billing-header:"

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def translate(asked: MessagesRequest) -> tuple[ChatRequest, list[NamedPart]]:
    conversation = _Conversation(asked.system)
    spoke_last = max((n for n, m in enumerate(asked.messages) if m["role"] == "user"), default=0)
    for position, message in enumerate(asked.messages):
        if position > spoke_last or message.get("clear_at") != PASSING:
            conversation.take(message, position)
    chat = ChatRequest(
        model=asked.model,
        messages=conversation.messages,
        stream=asked.stream,
        max_tokens=asked.max_tokens,
        # Agents send the limit of the models that they know.
        limit_may_shrink=True,
        tools=asked.tools.made(_chat_tools),
        tool_choice=_tool_choice(asked),
        response_format=_response_format(asked.schema),
        reasoning_effort=asked.effort,
        stops=asked.stops,
        user=asked.user,
        ignored=asked.ignored,
        settings=_settings(asked),
    )
    return chat, conversation.attachments


class _Conversation:
    """Turns Anthropic's messages into chat's: results of tools become messages of their own."""

    def __init__(self, system: str | Blocks | None) -> None:
        self.messages: list[dict[str, Any]] = []
        self.attachments: list[NamedPart] = []
        if isinstance(system, list):
            system = [block for block in system if not block["text"].startswith(_BILLING)]
        if system:
            self.messages.append({"role": "system", "content": _texts(system)})

    def take(self, message: dict[str, Any], position: int) -> None:
        role, content = message["role"], message["content"]
        if isinstance(content, str):
            if content or role != "system":
                self.messages.append({"role": role, "content": content})
        elif role == "assistant":
            self._take_answer(content)
        else:
            self._take_question(role, content, position)

    def _take_answer(self, blocks: Blocks) -> None:
        said: list[str] = []
        thoughts: list[str] = []
        calls: list[dict[str, Any]] = []
        for block in blocks:
            kind = block["type"]
            if kind == "tool_use":
                calls.append(_call(block))
            elif kind == "thinking":
                thoughts.append(_thought(block))
            else:
                said.append(_said(block))
        out: dict[str, Any] = {"role": "assistant", "content": "".join(said) or None}
        if any(thoughts):
            out["reasoning_content"] = "\n".join(filter(None, thoughts))
        if calls:
            out["tool_calls"] = calls
        self.messages.append(out)

    def _take_question(self, role: str, blocks: Blocks, position: int) -> None:
        """Adds results first, as the calls stand right before them; then what the user says."""
        said: list[dict[str, Any]] = []
        for number, block in enumerate(blocks):
            if block["type"] != "tool_result":
                said += self._parts(block, f"messages[{position}].content[{number}]")
                continue
            content = block.get("content") or ""
            if isinstance(content, list):
                content = self._result(content, f"messages[{position}].content[{number}].content")
            if block.get("is_error"):
                content = (
                    f"Error: {content}"
                    if isinstance(content, str)
                    else [{"type": "text", "text": "Error:"}, *content]
                )
            message = {"role": "tool", "tool_call_id": block["tool_use_id"], "content": content}
            self.messages.append(message)
        if said or not blocks:
            # A text where it is one: then there are no parts to look through.
            content = _text_of(said) if role == "user" else None
            self.messages.append({"role": role, "content": said if content is None else content})

    def _result(self, blocks: Blocks, at: str) -> Any:
        """What a tool gave: a text, or parts where it is more than that."""
        parts = [
            part
            for number, shown in enumerate(blocks)
            for part in self._of_result(shown, f"{at}[{number}]")
        ]
        text = _text_of(parts)
        return parts if text is None else text

    def _of_result(self, block: dict[str, Any], at: str) -> Blocks:
        instead = unreadable(block)
        return self._parts(block, at) if instead is None else [{"type": "text", "text": instead}]

    def _parts(self, block: dict[str, Any], at: str) -> Blocks:
        if block["type"] != "document":
            return [self._part(block, at)]
        source = block["source"]
        if source["type"] in ("base64", "url"):
            about = _context(block)
            return (
                [{"type": "text", "text": about}, *self._file(block, at)]
                if about
                else self._file(block, at)
            )
        head = "\n".join(text for text in (_title(block), _context(block)) if text)
        if source["type"] == "text":
            return [{"type": "text", "text": f"{head}\n{source['data']}"}]
        inside = source["content"]
        if isinstance(inside, str) or all(part["type"] == "text" for part in inside):
            return [{"type": "text", "text": f"{head}\n{_texts(inside)}"}]
        shown = [self._part(p, f"{at}.source.content[{n}]") for n, p in enumerate(inside)]
        return [{"type": "text", "text": head}, *shown]

    def _file(self, block: dict[str, Any], at: str) -> Blocks:
        source = block["source"]
        is_url = source["type"] == "url"
        name, data = block.get("title"), source.get("url")
        if not is_url:
            name = _title(block)
            data = f"data:{source['media_type']};base64,{source['data']}"
        read = {"type": "file", "file": {"file_data": data, "filename": name}}
        self.attachments.append((read, f"{at}.source.{'url' if is_url else 'data'}"))
        return [read]

    def _part(self, block: dict[str, Any], at: str) -> dict[str, Any]:
        if block["type"] == "image":
            source = block["source"]
            url = source.get("url")
            if source["type"] == "base64":
                url = behind(f"data:{source['media_type']};base64,", source["data"])
            part = {"type": "image_url", "image_url": {"url": url}}
            self.attachments.append((part, f"{at}.source.url"))
            return part
        if block["type"] == "tool_reference":
            return {"type": "text", "text": f"Loaded: {block['tool_name']}"}
        if block["type"] in TOOL_CHANGES:
            return {"type": "text", "text": _change(block)}
        if block["type"] == "search_result":
            head = "\n".join(str(block[n]) for n in ("title", "source") if block.get(n))
            return {"type": "text", "text": f"{head}\n{_texts(block['content'])}".strip()}
        return {"type": "text", "text": _said(block)}


def _text_of(parts: Blocks) -> str | None:
    """What parts say, where all of them are texts."""
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return None


def _said(block: dict[str, Any]) -> str:
    """The text of a block that is one, or the summary that stands for what was left out."""
    if block["type"] == "compaction":
        return f"{block['content']}\n" if block.get("content") else ""
    return str(block["text"]) if block["type"] == "text" else ""


def _thought(block: dict[str, Any]) -> str:
    """A thought, also one whose text was left out of the answer that it comes from."""
    return block["thinking"] or opened(block.get("signature"))


def _change(block: dict[str, Any]) -> str:
    tool = block["tool"]
    named = tool["definition"] if tool["type"] == "tool_definition" else tool
    name = named.get("name") or named.get("server_name") or named.get("type")
    return f"Tool {'added' if block['type'] == 'tool_addition' else 'removed'}: {name}"


def _title(block: dict[str, Any]) -> str:
    title = block.get("title")
    return title if isinstance(title, str) and title else "document"


def _context(block: dict[str, Any]) -> str:
    context = block.get("context")
    return context if isinstance(context, str) else ""


def _texts(content: str | Blocks) -> str:
    return content if isinstance(content, str) else "\n".join(b["text"] for b in content)


def _call(block: dict[str, Any]) -> dict[str, Any]:
    arguments = orjson.dumps(block["input"]).decode()
    function = {"name": block["name"], "arguments": arguments}
    return {"id": block["id"], "type": "function", "function": function}


def _chat_tools(tools: ToolList[dict[str, Any]]) -> ToolList[dict[str, Any]]:
    return ToolList(map(_tool, tools))


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool["name"], "parameters": tool["input_schema"]}
    if tool.get("description") is not None:
        function["description"] = tool["description"]
    if isinstance(tool.get("strict"), bool):
        function["strict"] = tool["strict"]
    return {"type": "function", "function": function}


def _tool_choice(asked: MessagesRequest) -> Any:
    choice = asked.tool_choice
    if choice is None or not asked.tools:
        return None
    if choice["type"] == "tool":
        return {"type": "function", "function": {"name": choice["name"]}}
    return _CHOICES[choice["type"]]


def _response_format(schema: dict[str, Any] | None) -> dict[str, Any] | None:
    if schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def _settings(asked: MessagesRequest) -> dict[str, Any]:
    settings = dict(asked.settings)
    if (asked.tool_choice or {}).get("disable_parallel_tool_use") and asked.tools:
        settings["parallel_tool_calls"] = False
    return settings
