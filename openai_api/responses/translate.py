"""A Responses request → the chat request that asks for the same. Pure.

Comes in: a ResponsesRequest. Goes out: a ChatRequest, and its pictures and files under the
names they have in the caller's own request.
"""

from typing import Any, Final

from openai_api.chat_completions import custom_tools
from openai_api.chat_completions.pictures import NamedPart
from openai_api.chat_completions.request import ChatRequest
from openai_api.chat_completions.sealed import opened
from openai_api.responses.request import OfferedTool, ResponsesRequest, Tools
from openai_api.wire.tool_lists import ToolList

Messages = list[dict[str, Any]]
# Parts that are no texts.
_ATTACHED: Final = ("input_image", "input_file")


def translate(asked: ResponsesRequest) -> tuple[ChatRequest, list[NamedPart]]:
    conversation = _Conversation(asked.instructions, asked.tools)
    for position, item in enumerate(asked.items):
        conversation.take(item, position)
    conversation.end()
    tools = asked.chosen.tools.made(_functions)
    chat = ChatRequest(
        model=asked.model,
        messages=conversation.messages,
        stream=asked.stream,
        max_tokens=asked.max_output_tokens,
        tools=tools,
        tool_choice=_choice(asked.chosen.choice) if tools else None,
        response_format=_response_format(asked.text_format),
        reasoning_effort=asked.effort,
        user=asked.user,
        cache_key=asked.cache_key,
        ignored=asked.ignored,
        settings=_settings(asked),
    )
    return chat, conversation.attachments


class _Conversation:
    """Turns items into messages: all that a model said in one turn becomes one message again."""

    def __init__(self, instructions: str | None, tools: Tools) -> None:
        self._tools = tools
        self.messages: Messages = []
        self.attachments: list[NamedPart] = []
        if instructions:
            self.messages.append({"role": "system", "content": instructions})
        # Thoughts of the turn that begins, and those of each message, joined when all are known:
        # a text that grows item by item would be copied for each.
        self._thoughts: list[str] = []
        self._thoughts_of: list[tuple[dict[str, Any], list[str]]] = []

    def take(self, item: dict[str, Any], position: int) -> None:
        kind = item.get("type") or "message"
        if kind == "function_call":
            self._take_call(item, item["arguments"])
        elif kind in ("function_call_output", "custom_tool_call_output"):
            content = self._content(item["output"], position, "output")
            message = {"role": "tool", "tool_call_id": item["call_id"], "content": content}
            self.messages.append(message)
        elif kind == "reasoning":
            self._thoughts.append(_thought(item))
        elif kind == "custom_tool_call":
            self._take_call(item, custom_tools.arguments_of(item["input"]))
        elif item["role"] == "assistant":
            self._assistant()["content"] = self._content(item["content"], position, "content")
        else:
            self._thoughts = []
            role = item["role"]
            # Instructions in parts stay parts: a text would be joined with those before it.
            joins = role == "user"
            content = self._content(item["content"], position, "content", joins=joins)
            self.messages.append({"role": role, "content": content})

    def end(self) -> None:
        for message, thoughts in self._thoughts_of:
            message["reasoning_content"] = "".join(thoughts)

    def _assistant(self) -> dict[str, Any]:
        """A message for what the model said; calls that came before the text belong to it."""
        last = self.messages[-1] if self.messages else {}
        if last.get("role") != "assistant" or last["content"] is not None:
            last = {"role": "assistant", "content": None}
            self.messages.append(last)
        if self._thoughts:
            self._think(last)
        return last

    def _think(self, message: dict[str, Any]) -> None:
        if not any(self._thoughts):
            return
        if not self._thoughts_of or self._thoughts_of[-1][0] is not message:
            self._thoughts_of.append((message, []))
        self._thoughts_of[-1][1].extend(self._thoughts)
        self._thoughts = []

    def _take_call(self, item: dict[str, Any], arguments: str) -> None:
        last = self.messages[-1] if self.messages else {}
        if last.get("role") != "assistant":
            last = {"role": "assistant", "content": None}
            self.messages.append(last)
        if self._thoughts:
            self._think(last)
        name = self._tools.sent_name_of(item["name"], item.get("namespace") or "")
        function = {"name": name, "arguments": arguments}
        call = {"id": item["call_id"], "type": "function", "function": function}
        last.setdefault("tool_calls", []).append(call)

    def _content(self, content: Any, position: int, name: str, *, joins: bool = True) -> Any:
        """A text where it is one, also in parts: then there are no parts to look through."""
        if isinstance(content, str):
            return content
        if joins:
            said = [_said(part) for part in content if part["type"] not in _ATTACHED]
            if len(said) == len(content):
                return "\n".join(said)
        at = f"input[{position}].{name}"
        return [self._part(part, f"{at}[{number}]") for number, part in enumerate(content)]

    def _part(self, part: dict[str, Any], at: str) -> dict[str, Any]:
        kind = part["type"]
        if kind == "input_image":
            picture: dict[str, Any] = {"url": part["image_url"]}
            if part.get("detail") in ("low", "high", "auto"):
                picture["detail"] = part["detail"]
            shown = {"type": "image_url", "image_url": picture}
            self.attachments.append((shown, f"{at}.image_url"))
            return shown
        if kind == "input_file":
            named = "file_url" if part.get("file_data") is None else "file_data"
            file = {"file_data": part[named], "filename": part.get("filename")}
            read = {"type": "file", "file": file}
            self.attachments.append((read, f"{at}.{named}"))
            return read
        return {"type": "text", "text": _said(part)}


def _said(part: dict[str, Any]) -> str:
    return str(part["refusal"] if part["type"] == "refusal" else part["text"])


def _thought(item: dict[str, Any]) -> str:
    """The thought itself, or its summary where there is no more."""
    parts = item.get("content")
    if not parts:
        thought = opened(item.get("encrypted_content"))
        if thought:
            return thought
        parts = item.get("summary") or []
    return "\n".join(part["text"] for part in parts)


def _functions(tools: ToolList[OfferedTool]) -> ToolList[dict[str, Any]]:
    return ToolList(map(_function, tools))


def _function(tool: OfferedTool) -> dict[str, Any]:
    if tool.is_custom:
        return {
            "type": "function",
            "function": custom_tools.function_of(tool.sent_name, tool.given),
        }
    function = {"name": tool.sent_name}
    for name in ("description", "parameters", "strict"):
        given = tool.given.get(name)
        if given is not None:
            function[name] = given
    return {"type": "function", "function": function}


def _choice(chosen: str | OfferedTool) -> Any:
    if isinstance(chosen, str):
        return chosen
    return {"type": "function", "function": {"name": chosen.sent_name}}


def _response_format(wanted: dict[str, Any]) -> dict[str, Any] | None:
    if wanted["type"] == "text":
        return None
    if wanted["type"] == "json_object":
        return {"type": "json_object"}
    names = ("name", "description", "schema", "strict")
    envelope = {name: wanted[name] for name in names if wanted.get(name) is not None}
    return {"type": "json_schema", "json_schema": envelope}


def _settings(asked: ResponsesRequest) -> dict[str, Any]:
    settings = dict(asked.settings)
    if asked.temperature is not None:
        settings["temperature"] = asked.temperature
    if asked.top_p is not None:
        settings["top_p"] = asked.top_p
    if asked.parallel_tool_calls is not None and asked.tools:
        settings["parallel_tool_calls"] = asked.parallel_tool_calls
    if asked.wants_logprobs:
        settings["logprobs"] = True
        if asked.top_logprobs is not None:
            settings["top_logprobs"] = asked.top_logprobs
    return settings
