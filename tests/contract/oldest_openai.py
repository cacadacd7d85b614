"""Cases for the oldest `openai` 1.x, run by an interpreter that sees no newer one."""

import asyncio
import json
import sys
from typing import Any

import openai


def client(given: dict[str, Any]) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=given["base_url"],
        api_key=given["api_key"],
        max_retries=given.get("max_retries", 0),
        timeout=20,
    )


def version(given: dict[str, Any]) -> Any:
    return openai.__version__


def models(given: dict[str, Any]) -> Any:
    return [model.id for model in client(given).models.list()]


def model(given: dict[str, Any]) -> Any:
    return client(given).models.retrieve(given["model"]).model_dump()


def chat(given: dict[str, Any]) -> Any:
    return client(given).chat.completions.create(**given["body"]).model_dump()


def stream(given: dict[str, Any]) -> Any:
    chunks = client(given).chat.completions.create(**given["body"], stream=True)
    return [chunk.model_dump() for chunk in chunks]


def tools(given: dict[str, Any]) -> Any:
    """Two turns, the second with the first's message as the package gave it back."""
    body = given["body"]
    first = client(given).chat.completions.create(**body).choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"sunny: {call.function.arguments}"}
        for call in first.tool_calls or []
    ]
    messages = [*body["messages"], first, *results]
    again = client(given).chat.completions.create(**{**body, "messages": messages})
    return again.choices[0].message.content


def functions(given: dict[str, Any]) -> Any:
    """The same in the words that came before tools."""
    body = given["body"]
    first = client(given).chat.completions.create(**body).choices[0].message
    assert first.function_call is not None
    result = {"role": "function", "name": first.function_call.name, "content": "sunny"}
    messages = [*body["messages"], first, result]
    again = client(given).chat.completions.create(**{**body, "messages": messages})
    return [first.function_call.model_dump(), again.choices[0].message.content]


def image(given: dict[str, Any]) -> Any:
    return client(given).images.generate(**given["body"]).data[0].b64_json


def concurrent(given: dict[str, Any]) -> Any:
    async def ask(text: str) -> Any:
        async with openai.AsyncOpenAI(
            base_url=given["base_url"], api_key=given["api_key"], timeout=20
        ) as asynchronous:
            body = {**given["body"], "messages": [{"role": "user", "content": text}]}
            chunks = await asynchronous.chat.completions.create(**body, stream=True)
            return "".join([c.choices[0].delta.content or "" async for c in chunks])

    async def ask_all() -> Any:
        return await asyncio.gather(*(ask(text) for text in given["texts"]))

    return asyncio.run(ask_all())


CASES = {
    case.__name__: case
    for case in (version, models, model, chat, stream, tools, functions, image, concurrent)
}


def described(error: Exception) -> dict[str, Any]:
    names = ("status_code", "code", "type", "param")
    return {
        "name": type(error).__name__,
        "message": str(error),
        **{name: getattr(error, name) for name in names if hasattr(error, name)},
    }


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"result": CASES[asked["case"]](asked["given"])}
        except Exception as error:
            answer = {"error": described(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
