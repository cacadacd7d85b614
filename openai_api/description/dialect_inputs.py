"""What stands inside of the fields of Responses and of Anthropic's Messages. Pure."""

from openai_api.description.inputs import ARGUMENTS, CUSTOM, HOSTED_TOOL, PICTURE, result
from openai_api.description.shapes import (
    BOOLEAN_OR_NULL,
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
    thing,
    variant,
)
from openai_api.messages.request.messages import (
    ASSISTANT_BLOCKS,
    CHANGED_TOOLS,
    OF_SERVERS,
    TOOL_CHANGES,
)
from openai_api.messages.request.messages import EFFORTS as ANTHROPIC_EFFORTS
from openai_api.messages.request.tools import SERVER_TOOLS
from openai_api.responses.request.items import HOSTED_ITEMS, ROLES, TOOL_ITEMS, UPDATE
from openai_api.wire.bounds import MOST_PARTS, MOST_TOOLS
from openai_api.wire.declared import reference

# --- Responses --------------------------------------------------------------------------------

_PART = either(
    thing(type=one_of(("input_text", "output_text", "text")), text=TEXT),
    variant("refusal", refusal=TEXT),
    variant("input_image", image_url=PICTURE),
    thing(type={"const": "input_file"}, file_data=NAME),
    variant("input_file", file_url={**TEXT, "description": "An http(s) URL."}),
)
_CONTENT = either(TEXT, listed(_PART, most=MOST_PARTS))
_THOUGHTS = or_null(listed(thing(text=TEXT), most=MOST_PARTS))
_CALL = {"call_id": NAME, "name": NAME}
RESPONSE_ITEM = either(
    optional(
        thing(role=one_of(ROLES), content=_CONTENT),
        type=one_of(("message", "", None)),
    ),
    optional(variant("function_call", **_CALL, arguments=ARGUMENTS), namespace=TEXT_OR_NULL),
    optional(variant("custom_tool_call", **_CALL, input=TEXT), namespace=TEXT_OR_NULL),
    variant("function_call_output", call_id=NAME, output=result({})),
    variant("custom_tool_call_output", call_id=NAME, output=result({})),
    optional(
        variant("reasoning"), encrypted_content=TEXT_OR_NULL, summary=_THOUGHTS, content=_THOUGHTS
    ),
    {
        **thing(id=TEXT),
        "properties": {"id": TEXT, "type": one_of(("item_reference", None))},
        "description": "An item of a recent answer, by its id.",
    },
    thing(type=one_of(HOSTED_ITEMS)),
    optional(
        thing(type=one_of(TOOL_ITEMS)),
        tools=or_null(
            {
                **listed(reference("ResponseTool"), most=MOST_TOOLS),
                "description": "Tools that come within the conversation.",
            }
        ),
    ),
    optional(
        variant(UPDATE),
        reasoning={"type": ["object", "null"], "description": "As the body's, from there on."},
        text={"type": ["object", "null"], "description": "As the body's, from there on."},
    ),
)
_FUNCTION_TOOL = optional(
    variant("function", name=NAME),
    description=TEXT_OR_NULL,
    parameters=or_null({**OBJECT, "description": "A JSON Schema."}),
    strict=BOOLEAN_OR_NULL,
)
_CUSTOM_TOOL = {**CUSTOM, "properties": {**CUSTOM["properties"], "type": {"const": "custom"}}}
_CUSTOM_TOOL["required"] = ["type", *CUSTOM["required"]]
_CALLABLE = either(_FUNCTION_TOOL, _CUSTOM_TOOL)
RESPONSE_TOOL = either(
    _FUNCTION_TOOL,
    _CUSTOM_TOOL,
    variant("namespace", name=NAME, tools=listed(_CALLABLE, most=MOST_TOOLS)),
    HOSTED_TOOL,
)
RESPONSE_TOOL_CHOICE = either(
    one_of(("none", "auto", "required")),
    {
        **thing(type=TEXT),
        "description": "One of `tools` or a namespace by its name, or `allowed_tools`.",
    },
)
RESPONSE_TEXT_FORMAT = either(
    thing(type=one_of(("text", "json_object"))),
    variant("json_schema", name=NAME, schema=OBJECT),
)

# --- Messages ---------------------------------------------------------------------------------

ANTHROPIC_TEXT = variant("text", text=TEXT)
_TEXTS = either(TEXT, listed(ANTHROPIC_TEXT, most=MOST_PARTS))
_SOURCE_OF_PICTURE = either(
    variant("base64", media_type=TEXT, data=TEXT), variant("url", url=PICTURE)
)
_IMAGE = variant("image", source=_SOURCE_OF_PICTURE)
_TEXT_OR_PICTURE = either(ANTHROPIC_TEXT, _IMAGE)
_SOURCE_OF_DOCUMENT = either(
    variant("text", data=TEXT),
    variant("content", content=either(TEXT, listed(_TEXT_OR_PICTURE, most=MOST_PARTS))),
    variant("base64", media_type=TEXT, data=TEXT),
    variant("url", url={**NAME, "description": "An http(s) URL."}),
)
_DOCUMENT = variant("document", source=_SOURCE_OF_DOCUMENT)
_SEARCH_RESULT = variant("search_result", content=_TEXTS)
_RESULT = optional(variant("tool_result", tool_use_id=TEXT), content=result({}))
_CHANGE = thing(
    type=one_of(TOOL_CHANGES),
    tool=either(
        variant("tool_definition", definition=OBJECT),
        variant("mcp_toolset_reference"),
        thing(
            type=one_of(
                kind
                for kind in CHANGED_TOOLS
                if kind not in ("tool_definition", "mcp_toolset_reference")
            ),
            name=NAME,
        ),
    ),
)
_COMPACTION = optional(
    variant("compaction"),
    content=TEXT_OR_NULL,
    tool_changes=or_null(listed(_CHANGE, most=MOST_PARTS)),
)
_SAID = {
    "compaction": _COMPACTION,
    "text": ANTHROPIC_TEXT,
    "thinking": variant("thinking", thinking=TEXT),
    "tool_use": variant("tool_use", id=NAME, name=NAME, input=OBJECT),
}
_OF_A_SERVER = thing(type={**TEXT, "pattern": f"^(?:{OF_SERVERS})$"})
_OF_ASSISTANT = either(*(_SAID.get(kind, variant(kind)) for kind in ASSISTANT_BLOCKS), _OF_A_SERVER)
_OF_USER = either(ANTHROPIC_TEXT, _IMAGE, _DOCUMENT, _SEARCH_RESULT, _RESULT, _CHANGE, _COMPACTION)


def _message(role: str, block: Schema) -> Schema:
    return thing(role={"const": role}, content=either(TEXT, listed(block, most=MOST_PARTS)))


_OUTPUT_CONFIG = optional(OBJECT, effort=one_of((*ANTHROPIC_EFFORTS, None)))
ANTHROPIC_MESSAGE = either(
    _message("user", _OF_USER),
    _message("assistant", _OF_ASSISTANT),
    optional(_message("system", _OF_USER), output_config=or_null(_OUTPUT_CONFIG)),
    optional(
        thing(role={"const": "system"}, output_config=_OUTPUT_CONFIG), content={"type": "null"}
    ),
)
_OWN_TOOL = optional(
    thing(name=NAME, input_schema={**OBJECT, "description": "A JSON Schema."}),
    type=one_of(("custom", None)),
    description=TEXT_OR_NULL,
    defer_loading=BOOLEAN_OR_NULL,
)
ANTHROPIC_TOOL = either(
    _OWN_TOOL,
    {
        **thing(type={**TEXT, "pattern": r"^(?:bash|text_editor|memory)_[0-9]{8}$"}, name=NAME),
        "description": "Anthropic's tools that run in the client.",
    },
    {
        **thing(type={**TEXT, "pattern": f"^(?:{SERVER_TOOLS})$"}),
        "description": "Tools that Anthropic runs.",
    },
)
SCHEMAS: dict[str, Schema] = {
    "ResponseInputItem": RESPONSE_ITEM,
    "ResponseTool": RESPONSE_TOOL,
    "ResponseToolChoice": RESPONSE_TOOL_CHOICE,
    "ResponseTextFormat": RESPONSE_TEXT_FORMAT,
    "AnthropicMessage": ANTHROPIC_MESSAGE,
    "AnthropicText": ANTHROPIC_TEXT,
    "AnthropicTool": ANTHROPIC_TOOL,
}
