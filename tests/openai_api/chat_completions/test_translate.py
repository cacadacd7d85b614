"""OpenAI's requests in the form each kind of model takes: the repairs before anything is sent."""

import base64
from itertools import product
from typing import Any

import orjson
import pytest

from catalog.classify.facts import ChatFacts, ReasoningEffort
from catalog.snapshot import ModelRecord
from openai_api.chat_completions import request
from openai_api.chat_completions.translate import ChatPlan, body_of, translate
from openai_api.errors import BadRequest
from openai_api.wire.left_in_body import LEAST_BYTES, chat_object

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
WEATHER = {"type": "function", "function": {"name": "get_weather"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
ENVELOPE = {"name": "answer", "schema": SCHEMA, "strict": True}


def model(name: str = "@cf/acme/model", window: int | None = 24_000, **facts: Any) -> ModelRecord:
    facts = {"dialect": "openai", "schema_known": True, "tools": True, "json_mode": True} | facts
    return ModelRecord(name=name, context_window=window, chat=ChatFacts(**facts))


LEGACY = model(dialect="legacy")


def plan(to: ModelRecord | None = None, **fields: Any) -> ChatPlan:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return translate(request.read(body), to or model(), default_max_tokens=None)


def sent(to: ModelRecord | None = None, **fields: Any) -> dict[str, Any]:
    """The payload as upstream would parse it."""
    payload: dict[str, Any] = orjson.loads(body_of(plan(to, **fields).payload, stream=False))
    return payload


def sent_message(message: dict[str, Any], to: ModelRecord | None = None) -> dict[str, Any]:
    first: dict[str, Any] = sent(to, messages=[message])["messages"][0]
    return first


# --- Messages ---------------------------------------------------------------------------------


def test_parts_of_text_become_one_string() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert sent_message({"role": "user", "content": parts})["content"] == "a\nb"


def test_parts_are_kept_where_there_is_a_picture() -> None:
    parts = [{"type": "text", "text": "a"}, PICTURE]
    content = sent_message({"role": "user", "content": parts}, model(vision=True))["content"]
    assert content == parts


@pytest.mark.parametrize("dialect", ["openai", "legacy"])
def test_messages_of_text_alone_are_taken_as_any_other(dialect: str) -> None:
    roles = [*request.ROLES, "", "robot", None, 3, True, ["user"], {}]
    contents = ["Hi", "", None, 3, ["Hi"], [{"type": "text", "text": "Hi"}]]
    more = [{}, {"name": "bob"}, {"tool_calls": []}, {"reasoning": "hm"}]
    messages = [
        {"role": role, "content": content} | rest
        for role, content, rest in product(roles, contents, more)
    ]

    def taken(message: dict[str, Any]) -> Any:
        try:
            return sent_message(message, model(dialect=dialect))
        except BadRequest as refused:
            return refused.param, refused.message

    for message in messages:
        assert taken(message) == taken(message | {"unheard_of": None})


def test_a_picture_url_may_be_given_without_its_object() -> None:
    part = {"type": "image_url", "image_url": "data:image/png;base64,AAAA"}
    content = sent_message({"role": "user", "content": [part]}, model(vision=True))["content"]
    assert content == [PICTURE]


@pytest.mark.parametrize("length", [10, 3_900, 3_999, 4_000, 4_001, 9_000])
def test_a_conversation_that_begins_with_a_picture_is_known_by_its_first_bytes(
    length: int,
) -> None:
    def of(*parts: dict[str, Any]) -> str:
        return plan(
            model(vision=True), messages=[{"role": "user", "content": [*parts]}]
        ).conversation

    def picture(data: str) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}

    text = {"type": "text", "text": "ü" * 3_000}
    for parts in (
        [picture("A" * length), text],
        [text, picture("A" * length)],
    ):
        assert of(*parts) == orjson.dumps(parts)[:4_000].decode(errors="replace")
    assert of(picture("A" * length)) != of(picture("B" * length))


def test_the_older_vision_model_gets_the_picture_beside_the_messages() -> None:
    to = model(dialect="legacy", vision=True, image_input="top_level")
    payload = sent(
        to, messages=[{"role": "user", "content": [{"type": "text", "text": "What?"}, PICTURE]}]
    )
    assert payload["messages"][0]["content"] == "What?"
    assert payload["image"] == [0, 0, 0]


def test_it_gets_all_of_a_picture_that_was_left_in_the_body() -> None:
    url = f"data:image/png;base64,iVBORw0KGgoA{'AAAA' * LEAST_BYTES}"
    parts = [{"type": "image_url", "image_url": {"url": url}}]
    body = orjson.dumps({"messages": [{"role": "user", "content": parts}]})
    to = model(dialect="legacy", vision=True, image_input="top_level")
    payload = sent(to, messages=chat_object(body)["messages"])
    assert bytes(payload["image"]) == base64.b64decode(url.partition(",")[2])


@pytest.mark.parametrize("message", [{"content": None}, {}])
def test_content_that_is_absent_becomes_empty(message: dict[str, Any]) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    out = sent_message({"role": "assistant", "tool_calls": [call], **message})
    assert out["content"] == ""
    assert out["tool_calls"] == [call]


def test_developer_becomes_system() -> None:
    assert sent_message({"role": "developer", "content": "x"})["role"] == "system"


def test_earlier_thoughts_go_back_as_reasoning_and_never_into_the_content() -> None:
    out = sent_message({"role": "assistant", "content": "4", "reasoning_content": "2+2"})
    assert out == {"role": "assistant", "content": "4", "reasoning": "2+2"}


def test_fields_of_an_earlier_answer_that_are_null_are_dropped() -> None:
    answer = {
        "role": "assistant",
        "content": "4",
        "refusal": None,
        "annotations": [],
        "audio": None,
    }
    assert sent_message(answer) == {"role": "assistant", "content": "4"}


def test_older_functions_become_tools_and_their_results_find_the_call() -> None:
    payload = sent(
        functions=[{"name": "get_weather"}],
        function_call={"name": "get_weather"},
        messages=[
            {"role": "user", "content": "?"},
            {"role": "assistant", "function_call": {"name": "get_weather", "arguments": "{}"}},
            {"role": "function", "name": "get_weather", "content": "sun"},
        ],
    )
    call, result = payload["messages"][1:]
    assert payload["tools"][0]["function"]["name"] == "get_weather"
    assert payload["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
    assert result["role"] == "tool"
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]


def test_llamas_see_their_earlier_call_in_the_content_too() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    out = sent_message(message, model("@cf/meta/llama-9"))
    assert orjson.loads(out["content"]) == {"name": "f", "parameters": {"a": 1}}


# --- Settings ---------------------------------------------------------------------------------


def test_nulls_and_the_teams_names_are_not_sent() -> None:
    payload = sent(temperature=None, user="bob", metadata={"a": "b"}, store=True, tools=None)
    assert set(payload) == {"model", "messages", "max_tokens"}


def test_the_name_sent_is_the_models_and_not_the_alias() -> None:
    assert sent()["model"] == "@cf/acme/model"


def test_fields_that_only_upstream_has_are_passed_on() -> None:
    payload = sent(chat_template_kwargs={"a": 1}, options={"rejectIfBusy": True}, top_k=5)
    assert payload["chat_template_kwargs"] == {"a": 1}
    assert payload["options"] == {"rejectIfBusy": True}
    assert payload["top_k"] == 5


def test_older_models_get_only_what_their_schema_lists() -> None:
    payload = sent(LEGACY, logit_bias={"1": 2}, service_tier="auto", temperature=0.5, invented=1)
    assert set(payload) == {"model", "messages", "max_tokens", "temperature"}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("temperature", 0, 1e-8),
        ("seed", 0, 1),
        ("seed", -5, 6),
        ("top_k", 500, 50),
        ("frequency_penalty", -1, 0),
        ("top_p", 0, 0.001),
    ],
)
def test_values_that_older_models_refuse_are_brought_into_range(
    field: str, value: float, expected: float
) -> None:
    assert sent(LEGACY, **{field: value})[field] == expected


@pytest.mark.parametrize("top_k", [0, -1])
def test_no_limit_of_candidates_is_sent_as_none(top_k: int) -> None:
    assert "top_k" not in sent(top_k=top_k)
    assert "top_k" not in sent(LEGACY, top_k=top_k)


def test_a_limit_is_always_sent() -> None:
    assert sent()["max_tokens"] > 20_000  # of a window of 24,000
    assert sent(max_completion_tokens=7)["max_tokens"] == 7
    assert sent(max_tokens=5)["max_tokens"] == 5


@pytest.mark.parametrize("text", ["word ", "字", "7", "x = [1, 2];\n"])
@pytest.mark.parametrize("characters", [10, 4_000, 15_000])
def test_without_a_limit_an_answer_gets_what_the_window_leaves(text: str, characters: int) -> None:
    words = text * (characters // len(text))
    limit = sent(messages=[{"role": "user", "content": words}])["max_tokens"]
    most_likely = {"word ": 0.25, "字": 1.1, "7": 1.0, "x = [1, 2];\n": 0.6}[text] * len(words)
    assert limit >= 256
    assert limit <= 24_000
    if most_likely < 12_000:
        assert limit + most_likely <= 24_000


def test_a_limit_of_the_operators_is_the_one_that_is_sent() -> None:
    asked = request.read({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    payload = translate(asked, model("@cf/acme/m"), default_max_tokens=77).payload
    assert payload["max_tokens"] == 77


def test_instructions_at_the_beginning_become_one_message() -> None:
    said = [
        {"role": "system", "content": "One."},
        {"role": "developer", "content": "Two."},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Late."},
    ]
    roles = [(m["role"], m["content"]) for m in sent(messages=said)["messages"]]
    assert roles == [("system", "One.\n\nTwo."), ("user", "Hi"), ("system", "Late.")]


@pytest.mark.parametrize(
    ("arguments", "mended"),
    [
        ('{"city":"Oslo"}', '{"city":"Oslo"}'),
        ("", "{}"),
        ("null", "{}"),
        ("[]", '{"arguments":[]}'),
        ('{"city": "Os', '{"arguments":"{\\"city\\": \\"Os"}'),
        ('"Oslo"', '{"arguments":"Oslo"}'),
        ('{"a":1}{"b":2}', '{"arguments":"{\\"a\\":1}{\\"b\\":2}"}'),
    ],
)
def test_arguments_of_earlier_calls_are_objects(arguments: str, mended: str) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    said = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
    ]
    [sent_call] = sent(messages=said)["messages"][1]["tool_calls"]
    assert sent_call["function"]["arguments"] == mended


def test_glm_4_7_flash_gets_its_limit_under_the_newer_name_and_no_tool_choice() -> None:
    payload = sent(model("@cf/zai-org/glm-4.7-flash"), tools=[WEATHER], tool_choice="auto", top_k=3)
    assert payload["max_completion_tokens"] > 20_000
    assert not {"max_tokens", "tool_choice", "top_k"} & set(payload)


def test_stop_sequences_are_sent_to_models_that_have_them_and_applied_here_for_others() -> None:
    assert sent(stop="END")["stop"] == ["END"]
    assert "stop" not in sent(LEGACY, stop="END")
    assert plan(LEGACY, stop="END").expected.stops == ("END",)


# --- Tools ------------------------------------------------------------------------------------


@pytest.mark.parametrize("description", [None, False])
def test_a_description_that_is_no_text_becomes_an_empty_one(description: Any) -> None:
    function = {"name": "f", "description": description}
    assert sent(tools=[{"type": "function", "function": function}])["tools"][0]["function"] == {
        "name": "f",
        "description": "",
        "parameters": {"type": "object", "properties": {}},
    }


def test_any_becomes_required() -> None:
    assert sent(tools=[WEATHER], tool_choice="any")["tool_choice"] == "required"


def test_a_flat_tool_is_taken_and_sent_in_openais_form() -> None:
    tool = sent(tools=[{"name": "f", "parameters": {}}])["tools"][0]
    assert tool["type"] == "function"
    assert tool["function"]["name"] == "f"


def test_tools_on_a_model_without_them_are_refused_before_upstream_is_asked() -> None:
    with pytest.raises(BadRequest) as refused:
        plan(model(tools=False), tools=[WEATHER])
    assert refused.value.param == "tools"


def test_a_picture_for_a_model_that_sees_none_is_refused() -> None:
    with pytest.raises(BadRequest) as refused:
        plan(messages=[{"role": "user", "content": [PICTURE]}])
    assert refused.value.param == "messages"


@pytest.mark.parametrize("fields", [{"n": 2}, {"logprobs": True}])
def test_what_older_models_cannot_give_is_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as refused:
        plan(LEGACY, **fields)
    assert refused.value.param == next(iter(fields))


# --- JSON -------------------------------------------------------------------------------------


def json_schema() -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": ENVELOPE}


def test_the_schema_is_sent_bare() -> None:
    wanted = sent(response_format=json_schema())["response_format"]
    assert wanted == {"type": "json_schema", "json_schema": SCHEMA}


def test_mistral_is_guided() -> None:
    payload = sent(model("@cf/mistralai/mistral-small"), response_format=json_schema())
    assert payload["guided_json"] == SCHEMA
    assert "response_format" not in payload


def test_plain_text_is_no_format() -> None:
    assert "response_format" not in sent(response_format={"type": "text"})


# --- Reasoning --------------------------------------------------------------------------------

WORDS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@pytest.mark.parametrize(
    ("name", "efforts"),
    [
        ("@cf/openai/gpt-oss-20b", "low low low medium high high high"),
        ("@cf/moonshotai/kimi-k2.6", "none none high high high high high"),
        ("@cf/moonshotai/kimi-k2.7-code", "- - - - - - -"),
        ("@cf/google/gemma-4-26b", "none none high high high high high"),
        ("@cf/zai-org/glm-5.2", "none none high high high max max"),
        ("@cf/zai-org/glm-5.3-flash", "max max low max high max max"),
        ("@cf/deepseek-ai/deepseek-v4-flash", "none low low high high high max"),
        ("@cf/qwen/qwen3.8-27b", "low low low medium xhigh xhigh xhigh"),
        ("@cf/deepseek-ai/deepseek-r1-distill-qwen-32b", "- - - - - - -"),
        ("@cf/qwen/qwq-32b", "- - - - - - -"),
    ],
)
def test_an_effort_becomes_a_word_the_family_knows(name: str, efforts: str) -> None:
    to = model(name, reasoning=True)
    got = [sent(to, reasoning_effort=word).get("reasoning_effort", "-") for word in WORDS]
    assert " ".join(got) == efforts


def test_the_catalog_wins_over_what_is_known_of_the_family() -> None:
    effort = ReasoningEffort(supported=("max", "high"), normalizes_to={"low": "high"})
    to = model("@cf/openai/gpt-oss-20b", reasoning=True, reasoning_effort=effort)
    assert sent(to, reasoning_effort="low")["reasoning_effort"] == "high"


@pytest.mark.parametrize(("effort", "thinks"), [("none", False), ("high", True)])
def test_models_with_a_switch_are_switched(effort: str, thinks: bool) -> None:
    payload = sent(model("@cf/zai-org/glm-4.7-flash"), reasoning_effort=effort)
    assert payload["chat_template_kwargs"] == {"enable_thinking": thinks}
    assert "reasoning_effort" not in payload


def test_openrouters_reasoning_object_is_understood() -> None:
    to = model("@cf/moonshotai/kimi-k2.6", reasoning=True)
    assert sent(to, reasoning={"enabled": False})["reasoning_effort"] == "none"
    assert sent(to, reasoning={"effort": "high"})["reasoning_effort"] == "high"


OFF = [
    {"reasoning": {"enabled": False}},
    {"reasoning": {"max_tokens": 0}},
    {"thinking": {"type": "disabled"}},
    {"enable_thinking": False},
    {"chat_template_kwargs": {"enable_thinking": False}},
    {"chat_template_kwargs": {"thinking": False}},
]
ON = [
    {"reasoning": {"enabled": True}},
    {"thinking": {"type": "enabled"}},
    {"enable_thinking": True},
    {"chat_template_kwargs": {"thinking": True}},
]


@pytest.mark.parametrize("asked", OFF, ids=repr)
def test_thinking_is_switched_off_by_the_names_of_every_vendor(asked: dict[str, Any]) -> None:
    with_effort = sent(model("@cf/moonshotai/kimi-k2.6", reasoning=True), **asked)
    assert with_effort["reasoning_effort"] == "none"
    for dialect in ("openai", "legacy"):
        switched = sent(model("@cf/qwen/qwen3-30b-a3b-fp8", dialect=dialect), **asked)
        assert switched["chat_template_kwargs"]["enable_thinking"] is False
    assert not {"thinking", "enable_thinking", "reasoning"} & (with_effort.keys() | switched.keys())


@pytest.mark.parametrize("asked", ON, ids=repr)
def test_thinking_is_switched_on_where_a_model_does_not_think_by_itself(
    asked: dict[str, Any],
) -> None:
    switched = sent(model("@cf/qwen/qwen3-30b-a3b-fp8", dialect="legacy"), **asked)
    assert switched["chat_template_kwargs"]["enable_thinking"] is True
    effort = ReasoningEffort(supported=("high", "none"), default_enabled=False)
    to = model("@cf/google/gemma-4-26b", reasoning=True, reasoning_effort=effort)
    assert sent(to, **asked)["reasoning_effort"] == "high"
    assert "reasoning_effort" not in sent(model("@cf/zai-org/glm-5.2", reasoning=True), **asked)


@pytest.mark.parametrize("asked", [*OFF, *ON], ids=repr)
def test_an_effort_goes_before_a_switch(asked: dict[str, Any]) -> None:
    to = model("@cf/openai/gpt-oss-20b", reasoning=True)
    assert sent(to, **asked, reasoning_effort="medium")["reasoning_effort"] == "medium"


@pytest.mark.parametrize(("tokens", "effort"), [(1024, "low"), (4096, "medium"), (32_000, "high")])
def test_a_budget_of_thought_becomes_an_effort(tokens: int, effort: str) -> None:
    to = model("@cf/openai/gpt-oss-20b", reasoning=True)
    assert sent(to, reasoning={"max_tokens": tokens})["reasoning_effort"] == effort
    thinking = {"type": "enabled", "budget_tokens": tokens}
    assert sent(to, thinking=thinking)["reasoning_effort"] == effort


def test_an_unknown_effort_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadRequest, match="minimal"):
        plan(reasoning_effort="turbo")


# --- Length -----------------------------------------------------------------------------------


def test_what_cannot_fit_is_refused_in_openais_words() -> None:
    with pytest.raises(BadRequest) as refused:
        plan(max_tokens=30_000)
    assert refused.value.code == "context_length_exceeded"
    assert "maximum context length is 24000 tokens" in refused.value.message


def test_what_may_fit_is_left_to_upstream() -> None:
    message = {"role": "user", "content": "x" * 60_000}
    assert sent(messages=[message])["max_tokens"] >= 256
