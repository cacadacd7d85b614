"""What the endpoints answer: whole objects, and the events of streams. Pure.

Objects may gain fields; those that are required here are always there.
"""

from openai_api.description.shapes import (
    ANYTHING,
    BOOLEAN,
    COUNT,
    NAME,
    NUMBER,
    OBJECT,
    POSITIVE,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    either,
    listed,
    one_of,
    optional,
    or_null,
    reference,
    thing,
    variant,
)
from openai_api.moderations.categories import CATEGORIES

_COST: Schema = {**POSITIVE, "description": "USD. Left out where the operator says so."}
_LOGPROBS = or_null(
    optional(OBJECT, content=or_null(listed(OBJECT)), refusal=or_null(listed(OBJECT)))
)
_FINISH = one_of(("stop", "length", "tool_calls", "content_filter", "function_call"))
USAGE = optional(
    thing(prompt_tokens=COUNT, completion_tokens=COUNT, total_tokens=COUNT),
    prompt_tokens_details=optional(OBJECT, cached_tokens=COUNT),
    completion_tokens_details=optional(OBJECT, reasoning_tokens=COUNT),
    cost=_COST,
)
_INPUT_USAGE = optional(thing(prompt_tokens=COUNT, total_tokens=COUNT), cost=_COST)
_FUNCTION_CALL = thing(name=NAME, arguments=TEXT)
_TOOL_CALL = either(
    variant("function", id=NAME, function=_FUNCTION_CALL),
    variant("custom", id=NAME, custom=thing(name=NAME, input=TEXT)),
)
_THOUGHTS: Schema = {**TEXT, "description": "What the model thought."}
_SAID = optional(
    thing(role={"const": "assistant"}, content=TEXT_OR_NULL, refusal=TEXT_OR_NULL),
    reasoning_content=_THOUGHTS,
    tool_calls=listed(_TOOL_CALL, least=1),
    function_call=_FUNCTION_CALL,
)
_HEAD = {"id": NAME, "created": COUNT, "model": NAME}
_CHOICE = thing(index=COUNT, message=_SAID, logprobs=_LOGPROBS, finish_reason=_FINISH)
_DELTA = optional(
    OBJECT,
    role={"const": "assistant"},
    content=TEXT,
    refusal=TEXT,
    reasoning_content=_THOUGHTS,
    tool_calls=listed(thing(index=COUNT), least=1),
    function_call=OBJECT,
)
_CHUNK_CHOICE = thing(index=COUNT, delta=_DELTA, logprobs=_LOGPROBS, finish_reason=or_null(_FINISH))
_TEXT_FINISH = one_of(("stop", "length", "content_filter"))
_TEXT_CHOICE = thing(text=TEXT, index=COUNT, logprobs={"type": "null"}, finish_reason=_TEXT_FINISH)
_TEXT_CHUNK_CHOICE = thing(text=TEXT, index=COUNT, finish_reason=or_null(_TEXT_FINISH))

_RESPONSES_USAGE = optional(
    thing(
        input_tokens=COUNT,
        input_tokens_details=thing(cached_tokens=COUNT),
        output_tokens=COUNT,
        output_tokens_details=thing(reasoning_tokens=COUNT),
        total_tokens=COUNT,
    ),
    cost=_COST,
)
_STATUS = one_of(("in_progress", "completed", "incomplete"))
_ITEM_HEAD = {"id": NAME, "status": _STATUS}
_OUTPUT_TEXT = variant(
    "output_text", text=TEXT, annotations=listed(OBJECT), logprobs=listed(OBJECT)
)
_REFUSAL = variant("refusal", refusal=TEXT)
_ITEM_CALL = {**_ITEM_HEAD, "call_id": NAME, "name": NAME}
RESPONSE_ITEM = either(
    variant(
        "message",
        **_ITEM_HEAD,
        role={"const": "assistant"},
        content=listed(either(_OUTPUT_TEXT, _REFUSAL)),
    ),
    optional(
        variant("reasoning", **_ITEM_HEAD, summary=listed(variant("summary_text", text=TEXT))),
        content=listed(variant("reasoning_text", text=TEXT)),
        encrypted_content=TEXT,
    ),
    optional(variant("function_call", **_ITEM_CALL, arguments=TEXT), namespace=TEXT),
    optional(variant("custom_tool_call", **_ITEM_CALL, input=TEXT), namespace=TEXT),
)
RESPONSE = optional(
    thing(
        id=NAME,
        object={"const": "response"},
        created_at=COUNT,
        completed_at=or_null(COUNT),
        status=one_of(("in_progress", "completed", "incomplete", "failed")),
        background={"const": False},
        error=or_null(thing(code=TEXT, message=TEXT)),
        incomplete_details=or_null(thing(reason=TEXT)),
        instructions=TEXT_OR_NULL,
        max_output_tokens=or_null(COUNT),
        max_tool_calls=or_null(COUNT),
        model=NAME,
        output=listed(reference("ResponseItem")),
        parallel_tool_calls=BOOLEAN,
        previous_response_id={"type": "null"},
        prompt_cache_key=TEXT_OR_NULL,
        reasoning=thing(effort=TEXT_OR_NULL, summary=TEXT_OR_NULL),
        safety_identifier=TEXT_OR_NULL,
        service_tier=TEXT,
        store={"const": False},
        temperature=NUMBER,
        presence_penalty=NUMBER,
        frequency_penalty=NUMBER,
        text=thing(format=thing(type=TEXT)),
        tool_choice=ANYTHING,
        tools=listed(OBJECT),
        top_logprobs=COUNT,
        top_p=NUMBER,
        truncation=TEXT,
        usage=or_null(_RESPONSES_USAGE),
        metadata=OBJECT,
    ),
    user=TEXT,
)

_ANTHROPIC_USAGE = optional(
    thing(
        input_tokens=COUNT,
        cache_creation_input_tokens=COUNT,
        cache_read_input_tokens=COUNT,
        output_tokens=COUNT,
    ),
    cost=_COST,
)
_STOP = or_null(
    one_of(("end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "pause_turn"))
)
_BLOCK = either(
    variant("text", text=TEXT),
    variant("thinking", thinking=TEXT, signature=TEXT),
    variant("tool_use", id=NAME, name=NAME, input=OBJECT),
)
MESSAGE = variant(
    "message",
    id=NAME,
    role={"const": "assistant"},
    model=NAME,
    content=listed(_BLOCK),
    stop_reason=_STOP,
    stop_sequence=TEXT_OR_NULL,
    usage=_ANTHROPIC_USAGE,
)

_VECTOR = either(listed(NUMBER), {**TEXT, "description": "Floats of 32 bits in base64."})
_PICTURE = optional(OBJECT, b64_json=TEXT, url=TEXT, revised_prompt=TEXT)
_IMAGE_USAGE = optional(
    thing(input_tokens=COUNT, output_tokens=COUNT, total_tokens=COUNT), cost=_COST
)
_PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
_JUDGED = dict.fromkeys(CATEGORIES, BOOLEAN)
_DECISION = {"name": TEXT_OR_NULL}
_PROBABILITIES = listed(thing(value=ANYTHING, probability=_PROBABILITY))
_SECONDS = optional(variant("duration", seconds=POSITIVE), cost=_COST)
_WORD = thing(word=TEXT, start=POSITIVE, end=POSITIVE)
_SEGMENT = thing(id=COUNT, start=POSITIVE, end=POSITIVE, text=TEXT)

SCHEMAS: dict[str, Schema] = {
    "Usage": USAGE,
    "ChatCompletion": thing(
        object={"const": "chat.completion"},
        **_HEAD,
        choices=listed(_CHOICE, least=1),
        usage=reference("Usage"),
    ),
    "ChatCompletionChunk": optional(
        thing(object={"const": "chat.completion.chunk"}, **_HEAD, choices=listed(_CHUNK_CHOICE)),
        usage=or_null(reference("Usage")),
    ),
    "TextCompletion": thing(
        object={"const": "text_completion"},
        **_HEAD,
        choices=listed(_TEXT_CHOICE, least=1),
        usage=reference("Usage"),
    ),
    "TextCompletionChunk": optional(
        thing(object={"const": "text_completion"}, **_HEAD, choices=listed(_TEXT_CHUNK_CHOICE)),
        usage=or_null(reference("Usage")),
    ),
    "Response": RESPONSE,
    "ResponseItem": RESPONSE_ITEM,
    "InputTokens": thing(object={"const": "response.input_tokens"}, input_tokens=COUNT),
    "Message": MESSAGE,
    "TokenCount": thing(input_tokens=COUNT),
    "EmbeddingList": thing(
        object={"const": "list"},
        data=listed(thing(object={"const": "embedding"}, index=COUNT, embedding=_VECTOR)),
        model=NAME,
        usage=_INPUT_USAGE,
    ),
    "Images": optional(
        thing(created=COUNT, data=listed(_PICTURE, least=1)),
        output_format=TEXT,
        size=TEXT,
        usage=_IMAGE_USAGE,
    ),
    "Moderation": thing(
        id=NAME,
        model=NAME,
        results=listed(
            thing(
                flagged=BOOLEAN,
                categories=thing(**_JUDGED),
                category_scores=thing(**dict.fromkeys(_JUDGED, _PROBABILITY)),
                category_applied_input_types=OBJECT,
            ),
            least=1,
        ),
    ),
    "Decisions": thing(
        model=NAME,
        answers=listed(
            either(
                variant("predicate", **_DECISION, probability=_PROBABILITY),
                variant("choice", **_DECISION, choice=ANYTHING, probabilities=_PROBABILITIES),
                variant("score", **_DECISION, score=NUMBER, probabilities=_PROBABILITIES),
            )
        ),
        usage=_RESPONSES_USAGE,
    ),
    "Ranking": thing(
        id=NAME,
        model=NAME,
        results=listed(optional(thing(index=COUNT, relevance_score=NUMBER), document=OBJECT)),
        usage=_INPUT_USAGE,
    ),
    "Transcript": optional(
        thing(text=TEXT),
        task=TEXT,
        language=TEXT,
        duration=POSITIVE,
        words=listed(_WORD),
        segments=listed(_SEGMENT),
        usage=_SECONDS,
    ),
}
