"""Streams whose chunks hold what OpenAI's format does not have."""

from collections.abc import Iterable

from workers_ai.simulator.scenarios import chunks
from workers_ai.simulator.scenarios.chunks import (
    DONE,
    TRAILING_USAGE,
    USAGE,
    chunk,
    content,
    ending,
    role,
)
from workers_ai.simulator.scenarios.registry import Params, UnknownScenario, wire


@wire("legacy-chunks", "`response` events with padding in place of chunks", "8.1")
def legacy_chunks(_model: str, _params: Params) -> list[str]:
    return [
        '{"response":"Hello","p":"abdefghijklmn"}',
        '{"response":" world","tool_calls":[],"p":"ab"}',
        TRAILING_USAGE,
        DONE,
    ]


@wire("batched-legacy-chunks", "several `response` events in one `streamed_data`", "8.1")
def batched_legacy_chunks(_model: str, _params: Params) -> list[str]:
    return [
        '{"streamed_data":[{"response":"Hello","usage":{"prompt_tokens":14,"completion_tokens":1,'
        '"total_tokens":15}},{"response":" world"}]}',
        TRAILING_USAGE,
        DONE,
    ]


@wire("number-deltas", "deltas that are bare numbers, booleans and null: `6 0.50 3e+50…`", "8.2")
def number_deltas(model: str, _params: Params) -> Iterable[str]:
    usage = (
        ',"usage":{"prompt_tokens":0,"completion_tokens":1,"total_tokens":1,'
        '"prompt_tokens_details":{"cached_tokens":0},"neurons":0.2048}'
    )
    space = chunk(model, '{"content":" "}', more=usage)
    yield role(model)
    for literal in ("6", "0.50", "3.10", "3e+50", "155724", "true", "false"):
        yield chunk(model, f'{{"content":{literal}}}', more=usage)
        yield space
    yield chunk(model, '{"content":null}', more=usage)
    yield from ending(model)


@wire("number-deltas-legacy", "the same in `response` events", "8.2")
def number_deltas_legacy(_model: str, _params: Params) -> list[str]:
    literals = ("155724", '" "', "0.50", '" "', "3e+50", '" "', "true", "null")
    return [f'{{"response":{one},"p":"abdef"}}' for one in literals] + [TRAILING_USAGE, DONE]


def _bare_chunk(model: str, delta: str, finish: str = "") -> str:
    ends = f',"finish_reason":"{finish}"' if finish else ""
    return (
        '{"id":"id-1733737971956","object":"chat.completion.chunk","created":1733737971,'
        f'"model":{chunks.quoted(model)},"choices":[{{"delta":{delta}{ends}}}]}}'
    )


@wire("no-index", "choices without `index`", "8.3")
def no_index(model: str, _params: Params) -> list[str]:
    texts = ("**", "Bold", "**")
    return [
        *(_bare_chunk(model, f'{{"content":"{text}"}}') for text in texts),
        _bare_chunk(model, "{}", "stop"),
        TRAILING_USAGE,
        DONE,
    ]


@wire("bare-deltas", "no role, no logprobs, and no finish_reason before the last chunk", "8.4")
def bare_deltas(model: str, params: Params) -> Iterable[str]:
    return no_index(model, params)


@wire("changing-id", "id and created change between reasoning and content", "8.5")
def changing_id(model: str, _params: Params) -> list[str]:
    return [
        chunk(model, '{"role":"assistant","reasoning_content":"Let me see."}'),
        chunk(model, '{"content":"Seen."}', identifier="chatcmpl-7f", created=1788378163),
        chunk(model, "{}", '"stop"', identifier="chatcmpl-80", created=1788378164),
        TRAILING_USAGE,
        DONE,
    ]


@wire("usage-increments", "usage on every chunk, to be added up: 14 and 3", "8.6")
def usage_increments(model: str, _params: Params) -> list[str]:
    def usage(prompt: int) -> str:
        return (
            f',"usage":{{"prompt_tokens":{prompt},"completion_tokens":1,'
            f'"total_tokens":{prompt + 1},"neurons":0.25}}'
        )

    return [
        chunk(model, '{"role":"assistant","content":""}', more=usage(14)),
        chunk(model, '{"content":"Hi"}', more=usage(0)),
        chunk(model, '{"content":"!"}', '"stop"', more=usage(0)),
        DONE,
    ]


@wire("usage-cumulative", "usage on every chunk, growing: 13 and 4 in the end", "8.6")
def usage_cumulative(model: str, _params: Params) -> list[str]:
    def usage(completion: int) -> str:
        return (
            f',"usage":{{"prompt_tokens":13,"completion_tokens":{completion},'
            f'"total_tokens":{13 + completion}}}'
        )

    return [
        chunk(model, '{"role":"assistant","content":""}', more=usage(1)),
        chunk(model, '{"content":"Hi"}', more=usage(3)),
        chunk(model, '{"content":"!"}', '"stop"', more=usage(4)),
        DONE,
    ]


@wire("trailing-legacy-usage", "a last event with usage and no `choices` (14 and 16)", "8.7")
def trailing_legacy_usage(model: str, _params: Params) -> list[str]:
    return [role(model), *content(model, "Hi", "!"), *ending(model)]


@wire("empty-choices-usage", "`choices: []` with usage, then the legacy usage as well", "8.8")
def empty_choices_usage(model: str, _params: Params) -> list[str]:
    return [
        role(model),
        *content(model, "Hi", "!"),
        chunks.finish(model),
        '{"choices":[],"created":1791402397,"id":"4bb2c0","object":"chat.completion.chunk",'
        f'"p":"360s8p","usage":{USAGE}}}',
        TRAILING_USAGE,
        DONE,
    ]


@wire("sglang-frames", "null content, null reasoning and `matched_stop`", "8.9")
def sglang_frames(model: str, _params: Params) -> list[str]:
    head = (
        '"id":"4bb2c0","object":"chat.completion.chunk","created":1791402397,'
        f'"model":{chunks.quoted(model)}'
    )
    return [
        '{"choices":[{"delta":{"content":"","reasoning_content":null,"role":"assistant"},'
        f'"finish_reason":null,"index":0,"logprobs":null,"matched_stop":null}}],{head}}}',
        '{"choices":[{"delta":{"content":"Hi!","reasoning_content":null},'
        f'"finish_reason":null,"index":0,"logprobs":null,"matched_stop":null}}],{head}}}',
        '{"choices":[{"delta":{"reasoning_content":null},"finish_reason":"stop","index":0,'
        f'"logprobs":null,"matched_stop":106}}],{head}}}',
        TRAILING_USAGE,
        DONE,
    ]


@wire(
    "reasoning-field", "thoughts in `reasoning` or `reasoning_content`", "8.10", field="reasoning"
)
def reasoning_field(model: str, params: Params) -> list[str]:
    name = params["field"]
    if name not in ("reasoning", "reasoning_content"):
        raise UnknownScenario("field is reasoning or reasoning_content")
    return [
        role(model),
        chunk(model, f'{{"{name}":"We need"}}'),
        chunk(model, f'{{"{name}":" to greet."}}'),
        *content(model, "Hi", "!"),
        *ending(model),
    ]


@wire("inline-think", "thoughts in the text, in `<think>` split over chunks", "8.11", opened="yes")
def inline_think(model: str, params: Params) -> list[str]:
    opening = ["<thi", "nk>\n"] if params["opened"] == "yes" else []
    texts = [*opening, "We need", " to greet.", "\n</th", "ink>", "\n\n", "Hi", "!"]
    return [role(model), *content(model, *texts), *ending(model)]


@wire("inline-think-legacy", "the same in `response` events", "8.11")
def inline_think_legacy(_model: str, _params: Params) -> list[str]:
    texts = ("<think>\\n", "We need to greet.", "</think>", "\\n\\nHi!")
    return [f'{{"response":"{text}","p":"ab"}}' for text in texts] + [TRAILING_USAGE, DONE]


@wire("moondream-events", "events with `mode` and `chunk`, the text cumulative", "8.24")
def moondream_events(_model: str, _params: Params) -> list[str]:
    return [
        '{"mode":"replace","name":"output_tokens","value":54}',
        '{"chunk":{"answer":"Network"},"index":0}',
        '{"chunk":{"answer":"Network Sett"},"index":1}',
        '{"chunk":{"answer":"Network Settings"},"index":2}',
        '{"status":"succeeded","output":["Network Settings"],'
        '"metrics":{"input_tokens":14,"output_tokens":16}}',
        TRAILING_USAGE,
        DONE,
    ]


@wire("reasoning-only", "thinking uses up max_tokens; there is no content", "8.25")
def reasoning_only(model: str, _params: Params) -> list[str]:
    thoughts = [chunk(model, f'{{"reasoning_content":"{text}"}}') for text in ("Let me", " see")]
    return [role(model), *thoughts, *ending(model, "length")]


@wire("one-delta", "the whole answer in one chunk", "8.26")
def one_delta(model: str, _params: Params) -> list[str]:
    whole = chunk(model, '{"role":"assistant","content":"All of it at once."}')
    return [whole, *ending(model)]


@wire("huge-event", "one event of more than a megabyte", "8.23", kilobytes=1100)
def huge_event(model: str, params: Params) -> list[str]:
    text = "word " * (params.count("kilobytes") * 1024 // 5)
    return [role(model), *content(model, text), *ending(model)]


@wire("thought-parts", "thoughts and text as parts of the content", "8.28")
def thought_parts(model: str, _params: Params) -> list[str]:
    thought = '{"type":"thinking","thinking":[{"type":"text","text":"We need to greet."}]}'
    return [
        role(model),
        chunk(model, f'{{"content":[{thought}]}}'),
        chunk(model, '{"content":[{"type":"text","text":"Hi"}]}'),
        *content(model, "!"),
        *ending(model),
    ]


@wire("raw-text", "line breaks inside the JSON's texts, as no JSON has them", "8.23")
def raw_text(model: str, _params: Params) -> list[str]:
    return [
        role(model),
        chunk(model, '{"content":"one\ttwo"}'),
        *content(model, "!"),
        *ending(model),
    ]
