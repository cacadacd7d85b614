"""Paths under `/accounts/{id}/ai/` and the handler of each."""

from collections.abc import Awaitable, Callable

from workers_ai.simulator.calls import Call
from workers_ai.simulator.chat import completions, responses
from workers_ai.simulator.replies import AnyReply, BadInput, Refusal, bare, failure, success
from workers_ai.simulator.tasks import audio, documents, embeddings, images, pictures, texts

_METHODS = {
    "models/search": ("GET",),
    "models/schema": ("GET",),
    "tasks/search": ("GET",),
    "authors/search": ("GET",),
    "v1/chat/completions": ("POST",),
    "v1/embeddings": ("POST",),
    "v1/responses": ("POST",),
    "v1/messages": ("POST",),
    "tomarkdown": ("POST",),
    "tomarkdown/supported": ("GET",),
    # Exists, and accepts no method that a client would use.
    "v1/models": (),
}
_SHORT_NAMES = {
    "v1/chat/completions": "chat",
    "v1/embeddings": "embeddings",
    "v1/responses": "responses",
    "v1/messages": "messages",
}


def route_of(method: str, path: str) -> tuple[str, str]:
    """The route's name, and the model in the path of a run."""
    model = ""
    route = path.rstrip("/")
    allowed = _METHODS.get(route)
    if route == "run" or path.startswith("run/"):
        model = path.removeprefix("run").strip("/")
        route, allowed = "run", ("POST",)
    if allowed is None:
        raise Refusal(400, 7000, "No route for that URI")
    if method not in allowed:
        raise Refusal(405, 7001, f"{method} not supported for requested URI.")
    return _SHORT_NAMES.get(route, route), model


async def handle(call: Call) -> AnyReply:
    """The model's own answer, before any scenario changes it."""
    try:
        return await _HANDLERS[call.route](call)
    except Refusal as refusal:
        return failure(refusal.status, refusal.code, refusal.message)


async def search(call: Call) -> AnyReply:
    return call.world.catalog.search_reply(call.query)


async def schema(call: Call) -> AnyReply:
    call.model = call.query.get("model", "")
    call.entry()
    return call.world.catalog.schema_reply(call.model)


async def tasks(call: Call) -> AnyReply:
    known = {entry["task"]["name"]: entry["task"] for entry in call.world.catalog.entries}
    return success(list(known.values()))


async def authors(call: Call) -> AnyReply:
    names = {entry["name"].split("/")[1] for entry in call.world.catalog.entries}
    return success(sorted(names))


async def chat_completions(call: Call) -> AnyReply:
    call.model = named_model(call)
    _require_own_model(call.model)
    entry = call.entry()
    if entry["task"]["name"] != "Text Generation" or "/clef" in call.model:
        raise BadInput("oneOf at '/' not met, 0 matches: the model takes no messages")
    if "guard" in call.model:
        verdict = await texts.guard(call)
        return bare(verdict.data["result"], cf_ai_neurons=verdict.headers["cf-ai-neurons"])
    return await completions.chat_completions(call)


async def openai_embeddings(call: Call) -> AnyReply:
    call.model = named_model(call)
    return await embeddings.openai_embeddings(call)


async def create_response(call: Call) -> AnyReply:
    call.model = named_model(call)
    return await responses.create(call)


async def anthropic_messages(call: Call) -> AnyReply:
    call.model = named_model(call)
    return await responses.messages(call)


def named_model(call: Call) -> str:
    model = call.json_object().get("model")
    if not isinstance(model, str) or not model:
        raise BadInput("required properties at '/' are 'model'")
    return model


def _require_own_model(model: str) -> None:
    if not model.startswith("@"):
        raise Refusal(402, 0, "Insufficient balance; add money to your gateway or use BYOK")


async def run(call: Call) -> AnyReply:
    if not call.model:
        _unwrap_run(call)
    return await runner_of(call)(call)


def runner_of(call: Call) -> Callable[[Call], Awaitable[AnyReply]]:
    """The function that runs a model: by its task, or by its name where the task is wrong."""
    task = call.entry()["task"]["name"]
    for part, runner in _RUNNERS_BY_NAME.items():
        if part in call.model:
            return runner
    runner_by_task = _RUNNERS_BY_TASK.get(task)
    if runner_by_task is None:
        raise Refusal(400, 5007, f"No such model {call.model} or task")
    return runner_by_task


_RUNNERS_BY_NAME: dict[str, Callable[[Call], Awaitable[AnyReply]]] = {
    "/clef": texts.answer_clef,
    "llama-guard": texts.guard,
    "gpt-oss": responses.run,
    "reranker": embeddings.score_contexts,
}
_RUNNERS_BY_TASK: dict[str, Callable[[Call], Awaitable[AnyReply]]] = {
    "Text Generation": completions.run,
    "Text-to-Image": images.generate,
    "Text Embeddings": embeddings.run,
    "Text Classification": texts.judge_sentiment,
    "Automatic Speech Recognition": audio.transcribe,
    "Text-to-Speech": audio.speak,
    "Voice Activity Detection": audio.turn,
    "Translation": texts.translate,
    "Summarization": texts.summarise,
    "Image Classification": pictures.classify,
    "Object Detection": pictures.detect,
    "Image-to-Text": pictures.describe,
}


def _unwrap_run(call: Call) -> None:
    """`POST /ai/run` with the model in the body, which only AI Gateway routes take."""
    if "cf-aig-gateway-id" not in call.headers:
        raise Refusal(400, 7000, "No route for that URI")
    body = call.json_object()
    if not isinstance(body.get("model"), str) or not isinstance(body.get("input"), dict):
        raise BadInput("required properties at '/' are 'model,input'")
    call.model, call.data = body["model"], body["input"]


_HANDLERS: dict[str, Callable[[Call], Awaitable[AnyReply]]] = {
    "models/search": search,
    "models/schema": schema,
    "tasks/search": tasks,
    "authors/search": authors,
    "chat": chat_completions,
    "embeddings": openai_embeddings,
    "responses": create_response,
    "messages": anthropic_messages,
    "tomarkdown": documents.to_markdown,
    "tomarkdown/supported": documents.supported,
    "run": run,
}
