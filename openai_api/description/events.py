"""The events of streams: what stands behind each `data:`. Pure."""

from openai_api.description.answers import MESSAGE
from openai_api.description.shapes import (
    ANYTHING,
    COUNT,
    NAME,
    OBJECT,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    either,
    listed,
    optional,
    reference,
    thing,
    variant,
)

_CODED = {"message": TEXT, "type": TEXT, "param": TEXT_OR_NULL, "code": TEXT_OR_NULL}
_FAILED = thing(error=thing(**_CODED))


def _told(kind: str, **fields: Schema) -> Schema:
    return variant(kind, sequence_number=COUNT, **fields)


_PLACE = {"item_id": NAME, "output_index": COUNT}
_CONTENT = {**_PLACE, "content_index": COUNT}
_SUMMARY = {**_PLACE, "summary_index": COUNT}
_RESPONSE = {"response": reference("Response")}
_ITEM = {"output_index": COUNT, "item": reference("ResponseItem")}
_OPEN_ITEM = {"output_index": COUNT, "item": thing(id=NAME, type=TEXT)}
_LOGPROBS = listed(OBJECT)
RESPONSE_EVENT = either(
    *(
        _told(f"response.{name}", **_RESPONSE)
        for name in ("created", "in_progress", "completed", "incomplete", "failed")
    ),
    _told("response.output_item.added", **_OPEN_ITEM),
    _told("response.output_item.done", **_ITEM),
    *(
        _told(f"response.content_part.{name}", **_CONTENT, part=OBJECT)
        for name in ("added", "done")
    ),
    _told("response.output_text.delta", **_CONTENT, delta=TEXT, logprobs=_LOGPROBS),
    _told("response.output_text.done", **_CONTENT, text=TEXT, logprobs=_LOGPROBS),
    _told("response.refusal.delta", **_CONTENT, delta=TEXT),
    _told("response.refusal.done", **_CONTENT, refusal=TEXT),
    _told("response.reasoning_text.delta", **_CONTENT, delta=TEXT),
    _told("response.reasoning_text.done", **_CONTENT, text=TEXT),
    *(
        _told(f"response.reasoning_summary_part.{name}", **_SUMMARY, part=OBJECT)
        for name in ("added", "done")
    ),
    # The same two for callers that send `OpenResponses-Version`.
    _told("response.reasoning.delta", **_CONTENT, delta=TEXT),
    _told("response.reasoning.done", **_CONTENT, text=TEXT),
    _told("response.reasoning_summary_text.delta", **_SUMMARY, delta=TEXT),
    _told("response.reasoning_summary_text.done", **_SUMMARY, text=TEXT),
    _told("response.function_call_arguments.delta", **_PLACE, delta=TEXT),
    _told("response.function_call_arguments.done", **_PLACE, name=NAME, arguments=TEXT),
    _told("response.custom_tool_call_input.delta", **_PLACE, delta=TEXT),
    _told("response.custom_tool_call_input.done", **_PLACE, input=TEXT),
    _told("error", code=TEXT_OR_NULL, message=TEXT, param=TEXT_OR_NULL),
)

_INDEX = {"index": COUNT}
MESSAGE_EVENT = either(
    variant("message_start", message=reference("Message")),
    variant("content_block_start", **_INDEX, content_block=thing(type=TEXT)),
    variant(
        "content_block_delta",
        **_INDEX,
        delta=either(
            variant("text_delta", text=TEXT),
            variant("thinking_delta", thinking=TEXT),
            variant("signature_delta", signature=TEXT),
            variant("input_json_delta", partial_json=TEXT),
        ),
    ),
    variant("content_block_stop", **_INDEX),
    variant(
        "message_delta",
        delta=thing(stop_reason=MESSAGE["properties"]["stop_reason"], stop_sequence=TEXT_OR_NULL),
        usage=MESSAGE["properties"]["usage"],
    ),
    variant("message_stop"),
    variant("ping"),
    variant("error", error=thing(type=TEXT, message=TEXT)),
)

SCHEMAS: dict[str, Schema] = {
    "ResponseEvent": RESPONSE_EVENT,
    "MessageEvent": MESSAGE_EVENT,
    "ChatEvent": either(reference("ChatCompletionChunk"), _FAILED),
    "TextCompletionEvent": either(reference("TextCompletionChunk"), _FAILED),
    "TranscriptEvent": either(
        variant("transcript.text.delta", delta=TEXT),
        variant("transcript.text.done", text=TEXT),
        _FAILED,
    ),
    "SpeechEvent": either(
        variant("speech.audio.delta", audio={**TEXT, "contentEncoding": "base64"}),
        variant("speech.audio.done", usage=optional(thing(input_tokens=COUNT), cost=ANYTHING)),
        _FAILED,
    ),
}
