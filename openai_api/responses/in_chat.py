"""`POST /v1/chat/completions`, also with the body of a Responses request: Cursor's agent sends its
conversation in `input` there, and reads the answer as a chat's.
"""

from dataclasses import replace
from typing import Any

from openai_api.base import EndpointView
from openai_api.chat_completions import request as chat_request
from openai_api.chat_completions.request import ChatRequest
from openai_api.chat_completions.view import CHAT
from openai_api.responses import request as responses_request
from openai_api.responses.translate import translate


def read(body: dict[str, Any]) -> ChatRequest:
    """The chat in `body`; raises BadRequest."""
    if "messages" in body or "input" not in body:
        return chat_request.read(body)
    asked = responses_request.read(body)
    chat, _ = translate(asked)
    options = chat_request.StreamOptions
    chat.include_usage = bool(options.include_usage(body.get("stream_options") or {}))
    chat.custom_tools = frozenset(tool.sent_name for tool in asked.chosen.tools if tool.is_custom)
    return chat


class ChatCompletionsView(EndpointView):
    endpoint = replace(CHAT, read=read)
