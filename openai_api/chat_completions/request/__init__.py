"""Reads and checks what `POST /v1/chat/completions` accepts."""

from openai_api.chat_completions.request.chat_request import (
    ChatRequest,
    Settings,
    StreamOptions,
    checked_settings,
    read,
)
from openai_api.chat_completions.request.hosted import (
    HOSTED,
    check_any,
    choice_without_tools,
    forced_hosted,
    is_hosted,
)
from openai_api.chat_completions.request.messages import (
    ROLES,
    check_file_url,
    check_picture_url,
    have_parts,
    is_file_url,
    is_usual_call,
)
from openai_api.chat_completions.request.results import (
    PICTURE_TYPES,
    as_arguments,
    as_part,
    as_result,
    become_text,
    is_broken_picture,
    unknown_part,
    unreadable_picture,
)
from openai_api.chat_completions.request.thinking import (
    EFFORTS,
    effort_of_budget,
    switched_in,
)
from openai_api.chat_completions.request.tools import names_of

__all__ = [
    "EFFORTS",
    "HOSTED",
    "PICTURE_TYPES",
    "ROLES",
    "ChatRequest",
    "Settings",
    "StreamOptions",
    "as_arguments",
    "as_part",
    "as_result",
    "become_text",
    "check_any",
    "check_file_url",
    "check_picture_url",
    "checked_settings",
    "choice_without_tools",
    "effort_of_budget",
    "forced_hosted",
    "have_parts",
    "is_broken_picture",
    "is_file_url",
    "is_hosted",
    "is_usual_call",
    "names_of",
    "read",
    "switched_in",
    "unknown_part",
    "unreadable_picture",
]
