"""Models that look at a picture: labels, boxes, descriptions, and moondream's own streams."""

from collections.abc import Iterator
from typing import Any

from workers_ai.simulator.calls import Call
from workers_ai.simulator.chat.answers import Picture
from workers_ai.simulator.chat.streams import DONE, Step, event, paced
from workers_ai.simulator.chat.vision import look_at_bytes, looked_at
from workers_ai.simulator.models.metering import (
    IMAGE_TOKENS,
    count_tokens,
    neurons,
    price_list,
    split_tokens,
    token_usage,
)
from workers_ai.simulator.pacing import TASK_SECONDS
from workers_ai.simulator.replies import AnyReply, BadInput, Refusal, Reply, StreamReply, success
from workers_ai.simulator.validation import byte_values, require_valid


async def _picture(call: Call) -> tuple[Picture, dict[str, Any]]:
    """The picture in the body, which is its bytes or JSON with a list of them."""
    if not call.body:
        raise Refusal(400, 3003, "Request is missing headers or body")
    await call.pace.wait(TASK_SECONDS)
    if call.content_type != "application/json":
        return look_at_bytes(call.body), {}
    body = call.json_object()
    require_valid(call.schema(), body)
    image = body.get("image")
    if isinstance(image, list):
        return look_at_bytes(byte_values(image, "/image")), body
    if isinstance(image, str):
        return looked_at(image), body
    raise BadInput("required properties at '/' are 'image'")


async def classify(call: Call) -> Reply:
    picture, _body = await _picture(call)
    labels = [
        {"label": f"{picture.colour.upper()} PICTURE", "score": 0.82},
        {"label": "TEST CARD", "score": 0.11},
        {"label": "EGYPTIAN CAT", "score": 0.02},
    ]
    used = neurons(price_list(call.entry()).get("per inference request", 0.0))
    return success(labels, cf_ai_neurons=str(used))


async def detect(call: Call) -> Reply:
    picture, _body = await _picture(call)
    box = {
        "xmin": picture.width // 4,
        "ymin": picture.height // 4,
        "xmax": picture.width * 3 // 4,
        "ymax": picture.height * 3 // 4,
    }
    return success([{"label": f"{picture.colour} thing", "score": 0.93, "box": box}])


async def describe(call: Call) -> AnyReply:
    """llava and uform: a description, and no usage."""
    if "moondream" in call.model:
        return await moondream(call)
    picture, _body = await _picture(call)
    return success({"description": _described(picture)})


def _described(picture: Picture) -> str:
    return f" The picture is {picture.width} x {picture.height} pixels and mostly {picture.colour}."


async def moondream(call: Call) -> AnyReply:
    """Answers only as a stream, in events of its own; not streamed it is an empty success."""
    body = call.json_object()
    require_valid(call.schema(), body)
    if "image" not in body:
        raise BadInput("required properties at '/' are 'image'")
    picture = looked_at(body["image"])
    # The schema says that streaming is the default; without the word for it nothing comes all the
    # same.
    if body.get("stream") is not True:
        await call.pace.wait(TASK_SECONDS)
        return success({})
    answer = _described(picture).strip()
    prompt = IMAGE_TOKENS + count_tokens(str(body.get("question", "")))
    usage = token_usage(call.entry(), prompt, count_tokens(answer))
    return StreamReply(paced(_moondream_steps(answer, usage), call.pace))


def _moondream_steps(answer: str, usage: dict[str, Any]) -> Iterator[Step]:
    so_far = ""
    for index, token in enumerate(split_tokens(answer)):
        so_far += token
        progress = {"mode": "replace", "name": "output_tokens", "value": index + 1}
        yield Step(event(progress))
        yield Step(event({"chunk": {"answer": so_far}, "index": index}), 1)
    metrics = {
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
    }
    yield Step(event({"status": "succeeded", "output": [answer], "metrics": metrics}))
    yield Step(event({"response": "", "usage": usage}))
    yield Step(DONE)
