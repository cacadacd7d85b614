"""`truncation: auto`: the oldest messages are left out until the rest fits the model. Pure."""

from catalog.snapshot import ModelRecord
from openai_api.chat_completions.length import characters_of
from openai_api.chat_completions.request import ChatRequest
from openai_api.use.token_estimate import prompt_tokens

# The part of the window to fill: tokens are estimated here and counted upstream.
FILLED_AT_MOST = 0.9


def truncate(asked: ChatRequest, model: ModelRecord) -> None:
    """Shortens `asked.messages`. Instructions at the beginning stay, and so does the last message;
    results of tools go with their calls.
    """
    if not model.context_window:
        return
    room = int(model.context_window * FILLED_AT_MOST) - (asked.max_tokens or 0)
    messages = asked.messages
    head = next(
        (n for n, m in enumerate(messages) if m["role"] not in ("system", "developer")),
        len(messages),
    )
    length = characters_of(messages, asked.tools)
    kept = head
    for start in range(head, len(messages)):
        if messages[start]["role"] != "tool":
            kept = start
            if prompt_tokens(model.name, length) <= room:
                break
        length -= characters_of([messages[start]])
    asked.messages = messages[:head] + messages[kept:]
