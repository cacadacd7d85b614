"""Reads and checks what `POST /v1/messages` accepts."""

from openai_api.messages.request.messages import PASSING, TOOL_CHANGES, Blocks, unreadable
from openai_api.messages.request.messages_request import MessagesRequest, read, read_prompt

__all__ = [
    "PASSING",
    "TOOL_CHANGES",
    "Blocks",
    "MessagesRequest",
    "read",
    "read_prompt",
    "unreadable",
]
