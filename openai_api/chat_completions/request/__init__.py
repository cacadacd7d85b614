"""Reads and checks what `POST /v1/chat/completions` accepts."""

from openai_api.chat_completions.request.chat_request import (
    EFFORTS,
    ROLES,
    ChatRequest,
    check_picture_url,
    check_settings,
    read,
    says_only_text,
)

__all__ = [
    "EFFORTS",
    "ROLES",
    "ChatRequest",
    "check_picture_url",
    "check_settings",
    "read",
    "says_only_text",
]
