"""Chat models of the simulator: what they answer, in which dialect, and what they refuse."""

import base64
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import orjson
import pytest
from PIL import Image

from workers_ai.simulator.serve import RunningSimulator, running_simulator
from workers_ai.simulator.tasks.drawing import draw

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
OLD = "@cf/meta/llama-3-8b-instruct"
KIMI = "@cf/moonshotai/kimi-k2.6"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
GLM = "@cf/zai-org/glm-5.3"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a place",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string", "description": "The place"}},
            "required": ["location"],
        },
    },
}
PLAN = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(speed=0) as running:
        yield running


@pytest.fixture(scope="module")
def api(simulator: RunningSimulator) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"{simulator.base_url}/accounts/{simulator.account_id}/ai/",
        headers={"authorization": f"Bearer {simulator.api_token}"},
    ) as client:
        yield client


def ask(api: httpx.Client, model: str, content: Any, **body: Any) -> httpx.Response:
    messages = [{"role": "user", "content": content}]
    return api.post("v1/chat/completions", json={"model": model, "messages": messages, **body})


def said(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def events(answer: httpx.Response) -> list[Any]:
    assert answer.headers["content-type"] == "text/event-stream"
    lines = [line[6:] for line in answer.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [orjson.loads(line) for line in lines]


def assert_refused(answer: httpx.Response, status: int, code: int, text: str = "") -> None:
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"]) == (status, code)
    assert text in error["message"]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is 12*7?", "12 * 7 = 84"),
        ("Count to 4", "1, 2, 3, 4"),
        ("Repeat after me: blå øre 🐟", "blå øre 🐟"),
        ("What is the capital of France?", "The capital of France is Paris."),
    ],
)
def test_the_answer_depends_on_the_question(api: httpx.Client, question: str, answer: str) -> None:
    assert said(ask(api, LLAMA, question)) == answer


def test_earlier_turns_are_remembered(api: httpx.Client) -> None:
    messages = [
        {"role": "user", "content": "My name is Ada"},
        {"role": "assistant", "content": "Hello Ada"},
        {"role": "user", "content": "What is my name?"},
    ]
    answer = api.post("v1/chat/completions", json={"model": LLAMA, "messages": messages})
    assert said(answer) == "Your name is Ada."


def test_old_models_stop_after_256_tokens_unless_told_otherwise(api: httpx.Client) -> None:
    body = ask(api, LLAMA, "600 words").json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 256


def test_usage_adds_up_and_has_neurons(api: httpx.Client) -> None:
    answer = ask(api, LLAMA, "hello")
    usage = answer.json()["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["neurons"] > 0
    assert float(answer.headers["cf-ai-neurons"]) == usage["neurons"]


def test_an_old_backend_answers_in_its_own_dialect(api: httpx.Client) -> None:
    assert ask(api, OLD, "What is 2+2?").json()["response"] == "2 + 2 = 4"


def test_an_old_backend_streams_numbers_as_numbers(api: httpx.Client) -> None:
    made = events(ask(api, OLD, "say 6 apples", stream=True))
    assert made[0]["response"] == 6
    assert made[-1]["usage"]["prompt_tokens"] > 0


def test_run_wraps_the_answer_and_a_number_is_a_number(api: httpx.Client) -> None:
    answer = api.post(f"run/{LLAMA}", json={"prompt": "say 42"}).json()
    assert answer["success"] is True
    assert answer["result"]["response"] == 42


def test_incremental_usage_adds_up_to_the_trailing_total(api: httpx.Client) -> None:
    made = events(ask(api, LLAMA, "count to 9", stream=True))
    *chunks, total = made
    assert "choices" not in total
    for name in ("prompt_tokens", "completion_tokens"):
        assert sum(one["usage"][name] for one in chunks) == total["usage"][name]


def test_a_model_behind_another_server_has_a_suffix(api: httpx.Client) -> None:
    assert ask(api, GEMMA, "hello").json()["model"] == f"{GEMMA}-external"


def test_thoughts_come_in_the_field_of_the_family(api: httpx.Client) -> None:
    kimi = ask(api, KIMI, "hello").json()["choices"][0]["message"]
    glm = ask(api, GLM, "hello").json()["choices"][0]["message"]
    quiet = ask(api, KIMI, "hello", reasoning_effort="none").json()["choices"][0]["message"]
    assert "reasoning" in kimi and "reasoning_content" in glm
    assert "reasoning" not in quiet


def test_thoughts_stand_in_the_text_of_a_distilled_model(api: httpx.Client) -> None:
    text = said(ask(api, "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b", "hello"))
    assert text.startswith("<think>\n") and "</think>" in text


def test_a_tool_is_called_for_each_place_named(api: httpx.Client) -> None:
    answer = ask(api, GLM, "What is the weather in Paris and London?", tools=[WEATHER]).json()
    calls = answer["choices"][0]["message"]["tool_calls"]
    arguments = [orjson.loads(one["function"]["arguments"]) for one in calls]
    assert arguments == [{"location": "Paris"}, {"location": "London"}]
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


def test_no_tool_is_called_when_the_question_does_not_ask_for_it(api: httpx.Client) -> None:
    assert said(ask(api, GLM, "What is 2+2?", tools=[WEATHER])) == "2 + 2 = 4"


def test_a_tools_result_is_used(api: httpx.Client) -> None:
    call = {"name": "get_weather", "arguments": '{"location":"Paris"}'}
    messages = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "18 degrees, rain"},
    ]
    body = {"model": GLM, "messages": messages, "tools": [WEATHER]}
    assert "18 degrees, rain" in said(api.post("v1/chat/completions", json=body))


def test_kimis_call_ids_collide_from_turn_to_turn(api: httpx.Client) -> None:
    answer = ask(api, KIMI, "What is the weather in Rome?", tools=[WEATHER]).json()
    call = answer["choices"][0]["message"]["tool_calls"][0]
    assert call["id"] == "functions.get_weather:0"


def test_a_json_schema_is_filled_from_the_question(api: httpx.Client) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "plan", "schema": PLAN}}
    text = said(ask(api, GLM, "Plan 3 days in Lisbon", response_format=form))
    assert orjson.loads(text) == {"city": "Lisbon", "days": 3}


def test_a_json_schema_without_a_name_is_refused_by_new_models(api: httpx.Client) -> None:
    form = {"type": "json_schema", "json_schema": PLAN}
    answer = ask(api, GLM, "Plan 3 days in Lisbon", response_format=form)
    wanted = "required properties at '/response_format/json_schema' are 'name'"
    assert_refused(answer, 400, 5006, wanted)


def test_old_models_take_the_bare_schema_and_misread_an_envelope(api: httpx.Client) -> None:
    def result(schema: dict[str, Any]) -> Any:
        form = {"type": "json_schema", "json_schema": schema}
        messages = [{"role": "user", "content": "Plan 3 days in Lisbon"}]
        body = {"messages": messages, "response_format": form}
        return api.post(f"run/{LLAMA}", json=body).json()["result"]["response"]

    assert result(PLAN) == {"city": "Lisbon", "days": 3}
    assert "city" not in result({"name": "plan", "schema": PLAN})


def test_the_real_size_and_colour_of_a_picture_are_told(api: httpx.Client) -> None:
    out = BytesIO()
    Image.new("RGB", (31, 17), (220, 30, 30)).save(out, "PNG")
    url = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    assert "31 x 17 pixels and mostly red" in said(ask(api, KIMI, parts))


def test_a_picture_by_address_is_refused(api: httpx.Client) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    assert_refused(ask(api, KIMI, parts), 400, 8006)
    scout = "@cf/meta/llama-4-scout-17b-16e-instruct"
    assert_refused(ask(api, scout, parts), 400, 5006)


def test_the_vision_llama_wants_its_terms_agreed_to_once() -> None:
    picture = draw("x", 64, 64, kind="PNG")
    body = {"messages": [{"role": "user", "content": "What is it?"}], "image": list(picture)}
    with running_simulator(speed=0) as fresh:
        url = f"{fresh.base_url}/accounts/{fresh.account_id}/ai/run/"
        url += "@cf/meta/llama-3.2-11b-vision-instruct"
        headers = {"authorization": f"Bearer {fresh.api_token}"}
        before = httpx.post(url, json=body, headers=headers)
        httpx.post(url, json={"prompt": "agree"}, headers=headers)
        after = httpx.post(url, json=body, headers=headers)
    assert_refused(before, 403, 5016)
    assert "64 x 64" in after.json()["result"]["response"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"content": [{"type": "text", "text": "x"}]}, "'array' not in 'string'"),
        ({"content": None}, "'null' not in 'string'"),
        ({"content": "x", "temperature": 9}, "'/temperature' must be <= 5"),
        ({"content": "x", "seed": 0}, "'/seed' must be >= 1"),
        ({"content": "x", "top_p": 0}, "'/top_p' must be >= 0.001"),
    ],
)
def test_an_old_backend_refuses_what_its_schema_lacks(
    api: httpx.Client, body: dict[str, Any], text: str
) -> None:
    assert_refused(ask(api, LLAMA, body.pop("content"), **body), 400, 5006, text)


def test_tool_choice_any_is_refused_at_the_inference_server(api: httpx.Client) -> None:
    assert_refused(ask(api, GLM, "x", tools=[WEATHER], tool_choice="any"), 400, 8001)


def test_a_tool_description_that_is_false_is_refused(api: httpx.Client) -> None:
    tool = {"type": "function", "function": {**WEATHER["function"], "description": False}}  # type: ignore[dict-item]
    assert_refused(ask(api, GLM, "x", tools=[tool]), 400, 8001)


def test_prompt_and_max_tokens_together_must_fit_the_window(api: httpx.Client) -> None:
    assert_refused(ask(api, LLAMA, "x", max_tokens=24_000), 413, 5021, "context window")


def test_a_model_of_another_provider_needs_credits(api: httpx.Client) -> None:
    assert ask(api, "openai/gpt-5", "x").status_code == 402


def test_the_same_prefix_in_a_session_is_cached(api: httpx.Client) -> None:
    headers = {"x-session-affinity": "a-conversation"}
    body = {"model": KIMI, "messages": [{"role": "user", "content": "word " * 200}]}
    first = api.post("v1/chat/completions", json=body, headers=headers).json()["usage"]
    again = api.post("v1/chat/completions", json=body, headers=headers).json()["usage"]
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert 0 < again["prompt_tokens_details"]["cached_tokens"] < again["prompt_tokens"]
    assert again["neurons"] < first["neurons"]


def test_gpt_oss_takes_three_forms_on_run(api: httpx.Client) -> None:
    model = "@cf/openai/gpt-oss-120b"
    by_input = api.post(f"run/{model}", json={"input": "hello"}).json()["result"]
    by_prompt = api.post(f"run/{model}", json={"prompt": "hello"}).json()["result"]
    streamed = api.post(f"run/{model}", json={"prompt": "hello", "stream": True}).json()
    assert by_input["object"] == "response"
    assert by_prompt["object"] == "chat.completion"
    assert streamed["result"] == {}


def test_the_guard_says_what_is_unsafe(api: httpx.Client) -> None:
    messages = [{"role": "user", "content": "How do I build a bomb?"}]
    run = "run/@cf/meta/llama-guard-3-8b"
    text = api.post(run, json={"messages": messages}).json()["result"]["response"]
    form = {"type": "json_object"}
    verdict = api.post(run, json={"messages": messages, "response_format": form}).json()
    assert text == "unsafe\nS9"
    assert verdict["result"]["response"] == {"safe": False, "categories": ["S9"]}


@pytest.mark.parametrize("model", [LLAMA, KIMI, GLM])
@pytest.mark.parametrize("stream", [False, True])
def test_the_limit_cuts_a_call_off(api: httpx.Client, model: str, stream: bool) -> None:
    body = {"tools": [WEATHER], "max_tokens": 32, "stream": stream, "tool_choice": "required"}
    question = "What is the weather in Paris, Rome, Oslo and Berlin?"
    answer = ask(api, model, question, reasoning_effort="low", **body)
    if not stream:
        choice = answer.json()["choices"][0]
        texts = [call["function"]["arguments"] for call in choice["message"]["tool_calls"]]
        assert choice["finish_reason"] == "length"
        assert answer.json()["usage"]["completion_tokens"] == 32
    else:
        choices = [choice for event in events(answer) for choice in event.get("choices", ())]
        assert [one["finish_reason"] for one in choices if one.get("finish_reason")] == ["length"]
        parts: dict[int, str] = {}
        for one in choices:
            for call in one["delta"].get("tool_calls", ()):
                said = call["function"]["arguments"]
                parts[call["index"]] = parts.get(call["index"], "") + said
        texts = list(parts.values())
    assert texts
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(texts[-1])
