"""Tools that OpenAI runs itself, or that only its models know: no model here can call them. Pure.

Where the model may choose (`tool_choice` is `auto`), they are left out and the answer says so;
a request that forces one is refused.
"""

import re
from typing import Any, Final

from openai_api.errors import BadRequest

# Several types are dated (`web_search_2025_08_26`), or have a preview.
HOSTED: Final = (
    r"(?:web_search|file_search|image_generation|code_interpreter|mcp|computer|local_shell|shell"
    r"|apply_patch|tool_search|programmatic_tool_calling)[A-Za-z0-9_]{0,40}"
)
_HOSTED: Final = re.compile(HOSTED)


def is_hosted(kind: Any) -> bool:
    """Whether this is the type of such a tool."""
    return isinstance(kind, str) and _HOSTED.fullmatch(kind) is not None


def forced_hosted(kinds: str, param: str) -> BadRequest:
    """The error for a `tool_choice` that forces a hosted tool."""
    return BadRequest(
        f"'tool_choice' forces a tool that this gateway cannot run ('{kinds[:120]}'): it runs no "
        "tools of its own, and models call tools of type 'function' and 'custom'. "
        "With 'tool_choice' 'auto' it is left out.",
        param=param,
        code="unsupported_value",
    )


def choice_without_tools() -> BadRequest:
    """The error for a `tool_choice` that forces a tool where there is none."""
    return BadRequest(
        "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice"
    )


def check_any(offered: Any, ignored: tuple[str, ...]) -> None:
    """Refuses to force a call where the model is offered no tool."""
    if not offered:
        raise (
            forced_hosted("', '".join(ignored), "tool_choice")
            if ignored
            else choice_without_tools()
        )
