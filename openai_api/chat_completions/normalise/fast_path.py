"""The fast path: events that only add text or a thought to the first choice, as nearly all do.
Pure.

It runs once for each event of every stream, so it is one function that calls as little as it can.
"""

from typing import Any

from openai_api.chat_completions.normalise.choice import Choice, Delta

# The fields of an event in the older form that holds a text and, at most, usage.
_PLAIN_LEGACY = frozenset({"response", "p", "tool_calls", "usage"})


def plain_delta(choice: Choice, body: dict[str, Any]) -> Delta | None:
    """What an event adds to the first choice, when that is all that it does beside reporting usage;
    None for any other, which the normaliser reads in full. Both give the same for these events.
    """
    if body.get("error") or "success" in body or "streamed_data" in body:
        return None
    choices, thought = body.get("choices"), None
    if not choices:
        if body.get("tool_calls") or not body.keys() <= _PLAIN_LEGACY:
            return None
        text = body.get("response")
    elif isinstance(choices, list) and len(choices) == 1 and isinstance(choices[0], dict):
        told = choices[0]
        message = told.get("delta")
        if (
            not isinstance(message, dict)
            or told.get("index")
            or told.get("finish_reason")
            or told.get("logprobs")
        ):
            return None
        text = message.get("content")
        # Where it is all that there is, as mostly, the rest need not be looked for.
        if text is None or len(message) > 1:
            if message.get("tool_calls") or message.get("function_call") or message.get("refusal"):
                return None
            thought = message.get("reasoning_content")
            if thought is None:
                thought = message.get("reasoning")
    else:
        return None
    if thought is None:
        filtered = choice.splitter or choice.held is not None or choice.cutter or choice.fence
        if filtered or choice.half_character or not text or not isinstance(text, str):
            return None
        parts = {"content": text}
    elif thought and isinstance(thought, str) and text in (None, ""):
        choice.splitter = None
        parts = {"reasoning_content": thought}
        text = thought
        choice.thought_characters += len(thought)
    else:
        return None
    choice.characters += len(text)
    return 0, parts, None
