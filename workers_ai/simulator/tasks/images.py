"""Text-to-Image models: JSON or a form in; raw bytes or base64 in JSON out."""

import base64
import binascii
from typing import Any, NamedTuple

from workers_ai.simulator.calls import Call
from workers_ai.simulator.forms import FormError, read_form
from workers_ai.simulator.models.metering import image_neurons
from workers_ai.simulator.pacing import IMAGE_SECONDS
from workers_ai.simulator.replies import BadInput, Refusal, Reply, model_message, success
from workers_ai.simulator.tasks.drawing import dimensions, draw, in_base64
from workers_ai.simulator.validation import byte_values, require_valid

FORM_SIDE = (256, 1920)
MAX_REFERENCES = 4
REFERENCE_SIDE = 512


class Order(NamedTuple):
    """What to draw."""

    prompt: str
    width: int
    height: int
    steps: int
    seed: int
    base: bytes | None = None
    mask: bytes | None = None
    references: tuple[tuple[int, int], ...] = ()


def takes_form(schema: dict[str, Any]) -> bool:
    properties = (schema.get("input") or {}).get("properties")
    return isinstance(properties, dict) and isinstance(properties.get("multipart"), dict)


async def generate(call: Call) -> Reply:
    entry, schema = call.entry(), call.schema()
    order = order_from_form(call) if takes_form(schema) else order_from_json(call, schema)
    await call.pace.wait(IMAGE_SECONDS)
    output = schema.get("output") or {}
    # The base64 of every model is a JPEG; raw answers are what the schema says.
    as_bytes = output.get("format") == "binary"
    kind = "PNG" if as_bytes and output.get("contentType") == "image/png" else "JPEG"
    notes = [call.model.split("/")[-1], f"{order.width}x{order.height}, {order.steps} steps"]
    picture = draw(
        order.prompt,
        order.width,
        order.height,
        kind="PNG" if kind == "PNG" else "JPEG",
        seed=order.seed,
        notes=notes,
        base=order.base,
        mask=order.mask,
    )
    used = image_neurons(entry, order.width, order.height, order.steps, order.references)
    headers = {} if "phoenix" in call.model else {"cf-ai-neurons": str(used)}
    if as_bytes:
        return Reply(200, picture, f"image/{kind.lower()}", headers)
    reply = success({"image": in_base64(picture)})
    reply.headers.update(headers)
    return reply


def order_from_json(call: Call, schema: dict[str, Any]) -> Order:
    body = call.json_object()
    require_valid(schema, body)
    known = (schema.get("input") or {}).get("properties") or {}
    # Where unknown fields are allowed at all, they are ignored.
    body = {field: value for field, value in body.items() if field in known}
    name = call.model
    base, mask = _source(body), _bytes_of(body.get("mask"), "mask")
    if name.endswith(("-img2img", "-inpainting")) and base is None:
        raise BadInput("required properties at '/' are 'image'")
    if name.endswith("-inpainting") and mask is None:
        raise BadInput("required properties at '/' are 'mask'")
    width, height = (_side(body, known, side) for side in ("width", "height"))
    steps = body.get("steps", body.get("num_steps"))
    if steps is None:
        steps = _default(known, "steps") or _default(known, "num_steps") or 4
    return Order(body["prompt"], width, height, int(steps), body.get("seed") or 0, base, mask)


def _side(body: dict[str, Any], known: dict[str, Any], side: str) -> int:
    if side not in known:
        return 1024
    # Some schemas allow 0, which means the default.
    return int(body.get(side) or _default(known, side) or 1024)


def _default(known: dict[str, Any], name: str) -> int | None:
    return known[name].get("default") if isinstance(known.get(name), dict) else None


def _source(body: dict[str, Any]) -> bytes | None:
    if isinstance(body.get("image_b64"), str):
        text = body["image_b64"]
        encoded = text.split(",", 1)[1] if text.startswith("data:") else text
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise Refusal(400, 5004, model_message("Invalid data type for base64 input")) from None
        return _checked(data, "image_b64")
    return _bytes_of(body.get("image"), "image")


def _bytes_of(values: Any, name: str) -> bytes | None:
    return None if values is None else _checked(byte_values(values, f"/{name}"), name)


def _checked(data: bytes, name: str) -> bytes:
    try:
        dimensions(data)
    except ValueError:
        raise Refusal(500, 8005, model_message(f"Internal server error: {name}")) from None
    return data


def order_from_form(call: Call) -> Order:
    if call.content_type != "multipart/form-data":
        raise BadInput("required properties at '/' are 'multipart'")
    try:
        form = read_form(call.headers["content-type"], call.body)
    except FormError as error:
        raise BadInput(f"multipart: {error}") from error
    prompt = form.fields.get("prompt", "")
    if not prompt:
        raise BadInput("required properties at '/' are 'prompt'")
    fixed_steps = "klein" in call.model
    if fixed_steps and "steps" in form.fields:
        raise BadInput("'/steps' is fixed at 4")
    references = []
    for name, file in form.files.items():
        if name not in [f"input_image_{n}" for n in range(MAX_REFERENCES)]:
            raise BadInput(f"additional property '{name}' at '/' is not allowed")
        size = dimensions(_checked(file.data, name))
        if max(size) >= REFERENCE_SIDE:
            raise BadInput(f"'/{name}' must be smaller than 512x512")
        references.append(size)
    first = form.files.get("input_image_0")
    return Order(
        prompt,
        _whole(form.fields, "width", 1024, *FORM_SIDE),
        _whole(form.fields, "height", 768, *FORM_SIDE),
        4 if fixed_steps else _whole(form.fields, "steps", 25, 1, 50),
        _whole(form.fields, "seed", 0, 0, 2**63),
        first.data if first else None,
        None,
        tuple(references),
    )


def _whole(fields: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    text = fields.get(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise BadInput(f"Type mismatch of '/{name}', 'string' not in 'integer'") from None
    if number < low:
        raise BadInput(f"'/{name}' must be >= {low}")
    if number > high:
        raise BadInput(f"'/{name}' must be <= {high}")
    return number
