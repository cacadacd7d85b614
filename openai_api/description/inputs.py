"""What stands inside of the fields of chats and decisions: messages, parts, tools. Pure.

The fields themselves are declared beside their readers. These shapes are what the readers check by
hand; what they check between fields, such as that a result has a call before it, is not said here.
"""

from openai_api.chat_completions.request import HOSTED
from openai_api.chat_completions.request.messages import PART_TYPES, ROLES
from openai_api.decisions.request import CHOICES, LEVELS, LONGEST_NAME
from openai_api.decisions.request import ROLES as DECISION_ROLES
from openai_api.description.shapes import (
    BOOLEAN,
    NAME,
    OBJECT,
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
from openai_api.wire.bounds import MOST_PARTS, MOST_TOOLS

PICTURE: Schema = {
    **TEXT,
    "description": "An http(s) URL, or a data URL in base64 of a png, jpeg, webp or gif.",
}
ARGUMENTS: Schema = {
    "type": ["string", "object", "array", "null"],
    "description": "An object in JSON, as a text.",
}
_CALLED = optional(thing(name=TEXT), arguments=ARGUMENTS)
_CUSTOM_CALLED = thing(name=NAME, input=TEXT)
_CALL = either(
    optional(variant("custom", custom=_CUSTOM_CALLED), id=TEXT_OR_NULL),
    optional(
        thing(function=_CALLED),
        id=TEXT_OR_NULL,
        type={"not": {"const": "custom"}},
    ),
)
_PART = either(
    variant("text", text=TEXT),
    variant("refusal", refusal=TEXT),
    variant("image_url", image_url=either(thing(url=PICTURE), PICTURE)),
    variant("input_audio", input_audio=OBJECT),
    variant("file", file=OBJECT),
)
# What tools gave back is never refused for its kind: what cannot be read is told in words.
_NO_PART: Schema = {"not": thing(type=NAME), "description": "Told to the model as JSON."}
_RESULT_PART = either(
    _PART,
    thing(type={**NAME, "not": one_of(kind for kind in PART_TYPES if kind != "image_url")}),
    _NO_PART,
)


def _content(part: Schema) -> Schema:
    return either(TEXT, listed(part, most=MOST_PARTS))


def result(part: Schema) -> Schema:
    """What a tool gave back."""
    other = {
        "type": ["object", "number", "boolean", "null"],
        "description": "Told to the model as JSON.",
    }
    return either(TEXT, listed(part, most=MOST_PARTS), other)


_CALLS = {
    "tool_calls": or_null(listed(_CALL, most=MOST_TOOLS)),
    "function_call": or_null(_CALLED),
}
_SPEAKERS = [role for role in ROLES if role not in ("assistant", "tool", "function")]
CHAT_MESSAGE = either(
    optional(thing(role=one_of(_SPEAKERS), content=_content(_PART)), **_CALLS),
    optional(thing(role={"const": "assistant"}), content=or_null(_content(_PART)), **_CALLS),
    optional(
        thing(role={"const": "tool"}, content=result(_RESULT_PART), tool_call_id=TEXT), **_CALLS
    ),
    optional(thing(role={"const": "function"}), content=result(_RESULT_PART), **_CALLS),
)
FUNCTION = optional(
    thing(name=NAME),
    description={"type": ["string", "boolean", "null"]},
    parameters=or_null({**OBJECT, "description": "A JSON Schema."}),
)
_FORMAT = {
    **OBJECT,
    "description": "`text`, or a grammar that the model is told of.",
}
CUSTOM = optional(thing(name=NAME), description=TEXT_OR_NULL, format=or_null(_FORMAT))
HOSTED_TOOL = thing(type={**TEXT, "pattern": f"^(?:{HOSTED})$"})
CHAT_TOOL = either(
    optional(thing(function=reference("Function")), type={"const": "function"}),
    {**FUNCTION, "properties": {**FUNCTION["properties"], "type": {"const": "function"}}},
    variant("custom", custom=CUSTOM),
    {**CUSTOM, "properties": {**CUSTOM["properties"], "type": {"const": "custom"}}},
    HOSTED_TOOL,
)
CHAT_TOOL_CHOICE = either(
    one_of(("none", "auto", "required", "any")),
    {
        **OBJECT,
        "description": "One of `tools` by its name, or `allowed_tools`.",
    },
)

_JSON = variant("input_json", data=either(OBJECT, listed({})))
_SAID = (
    thing(type=one_of(("input_text", "output_text", "text")), text=TEXT),
    variant("refusal", refusal=TEXT),
    _JSON,
)
_DECISION_CONTENT = either(TEXT, listed(either(*_SAID, variant("input_image", image_url=PICTURE))))
DECISION_ITEM = either(
    optional(
        thing(role=one_of(DECISION_ROLES), content=_DECISION_CONTENT),
        type=one_of(("message", "", None)),
    ),
    variant("function_call", name=TEXT, arguments=TEXT),
    variant("custom_tool_call", name=TEXT, input=TEXT),
    thing(
        type=one_of(("function_call_output", "custom_tool_call_output")), output=_DECISION_CONTENT
    ),
)


def _options(key: str, value: Schema, bounds: tuple[int, int]) -> Schema:
    least, most = bounds
    option = optional(thing(**{key: value}), description=TEXT_OR_NULL)
    return listed(option, least=least, most=most)


def _question(kind: str, **fields: Schema) -> Schema:
    name = or_null({**TEXT, "maxLength": LONGEST_NAME})
    instructions = either(NAME, listed(either(*_SAID), least=1))
    return optional(variant(kind, instructions=instructions, **fields), name=name)


DECISION_QUESTION = either(
    _question("predicate"),
    _question("choice", choices=_options("value", either(NAME, BOOLEAN), CHOICES)),
    _question("score", levels=_options("label", NAME, LEVELS)),
)
SCHEMAS: dict[str, Schema] = {
    "ChatMessage": CHAT_MESSAGE,
    "ChatTool": CHAT_TOOL,
    "ChatToolChoice": CHAT_TOOL_CHOICE,
    "Function": FUNCTION,
    "DecisionItem": DECISION_ITEM,
    "DecisionQuestion": DECISION_QUESTION,
}
