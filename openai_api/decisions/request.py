"""What `POST /v1/decisions` accepts: an input, and typed questions about it. Pure.

Comes in: the parsed body. Goes out: a DecisionRequest. Raises BadRequest naming the `param`. The
form is that of OpenAI's own endpoint, a public beta since October 2026.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from openai_api.chat_completions.pictures import NamedPart
from openai_api.errors import BadRequest
from openai_api.wire import fields
from openai_api.wire.declared import Described, FilledArray, FilledText, Text, reference
from openai_api.wire.fields import missing, not_empty, one_of, wrong_type, wrong_value

MOST_QUESTIONS: Final = 400
CHOICES: Final = (2, 255)
LEVELS: Final = (2, 10)
LONGEST_NAME: Final = 256
ROLES: Final = ("user", "developer", "system", "assistant")
TYPES: Final = ("predicate", "choice", "score")


class Fields:
    model = FilledText(examples=["@cf/cloudflare/clef-flash"])
    input = Described(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "minItems": 1, "items": reference("DecisionItem")},
            ]
        },
        "What the questions are about.",
        required=True,
        examples=["The parcel came broken, and nobody answers."],
    )
    questions = FilledArray(
        "question",
        narrowed={"maxItems": MOST_QUESTIONS, "items": reference("DecisionQuestion")},
        examples=[[{"type": "predicate", "instructions": "Is it a complaint?"}]],
    )
    safety_identifier = Text("A person behind the key.")
    user = Text("The older name of `safety_identifier`.")


@dataclass(frozen=True, slots=True)
class Question:
    """`options`: of a choice its values, of a score its labels, each with a description or None."""

    type: str
    name: str | None
    instructions: Any
    options: tuple[tuple[str | bool, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """`state` is the input without its pictures, which are `image_url` parts with their names."""

    model: str
    state: Any
    questions: tuple[Question, ...]
    pictures: list[NamedPart] = field(default_factory=list)
    user: str = ""
    stream: bool = False


def read(body: dict[str, Any]) -> DecisionRequest:
    """The request in `body`; raises BadRequest."""
    pictures: list[NamedPart] = []
    person, older_name = Fields.safety_identifier(body), Fields.user(body)
    return DecisionRequest(
        model=Fields.model(body),
        state=_state(body.get("input"), pictures),
        questions=tuple(_questions(body)),
        pictures=pictures,
        user=person or older_name or "",
    )


# --- The input ------------------------------------------------------------------------------------


def _state(value: Any, pictures: list[NamedPart]) -> Any:
    """A text, or what each item says and by whom."""
    if value is None:
        raise missing("input")
    if isinstance(value, str):
        return not_empty(value, "input")
    if not isinstance(value, list):
        raise wrong_type("input", "a string or an array", value)
    if not value:
        raise fields.empty_array("input", "item")
    items = [_item(item, f"input[{number}]", pictures) for number, item in enumerate(value)]
    # One user's words need no frame around them.
    if len(items) == 1 and items[0].get("role") == "user":
        return items[0]["content"]
    return items


def _item(item: Any, at: str, pictures: list[NamedPart]) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise wrong_type(at, "an object", item)
    kind = item.get("type")
    if kind in (None, ""):
        kind = "message"
    if kind == "message":
        role = item.get("role")
        if role not in ROLES:
            raise wrong_value(f"{at}.role", one_of(ROLES), role)
        return {"role": role, "content": _content(item.get("content"), f"{at}.content", pictures)}
    if kind in ("function_call", "custom_tool_call"):
        arguments = "arguments" if kind == "function_call" else "input"
        said = {name: _text_in(item, name, at) for name in ("name", arguments)}
        return {"type": kind, **said}
    if kind in ("function_call_output", "custom_tool_call_output"):
        return {"type": kind, "output": _content(item.get("output"), f"{at}.output", pictures)}
    kinds = ("message", "function_call", "function_call_output")
    raise wrong_value(f"{at}.type", one_of(kinds), kind)


def _text_in(item: dict[str, Any], name: str, at: str) -> str:
    value = item.get(name)
    if value is None:
        raise missing(f"{at}.{name}")
    if not isinstance(value, str):
        raise wrong_type(f"{at}.{name}", "a string", value)
    return value


def _content(content: Any, at: str, pictures: list[NamedPart] | None) -> Any:
    """A text where all parts are texts, else a list of texts and JSON values."""
    if content is None:
        raise missing(at)
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise wrong_type(at, "a string or an array of parts", content)
    told = [_part(part, f"{at}[{number}]", pictures) for number, part in enumerate(content)]
    shown = [part for part in told if part is not None]
    if all(isinstance(part, str) for part in shown):
        return "\n".join(shown)
    return shown


def _part(part: Any, at: str, pictures: list[NamedPart] | None) -> Any:
    """What a part says; None for a picture, which is noted."""
    if not isinstance(part, dict):
        raise wrong_type(at, "an object", part)
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        return _text_in(part, "text", at)
    if kind == "refusal":
        return _text_in(part, "refusal", at)
    if kind == "input_json":
        data = part.get("data")
        if not isinstance(data, dict | list):
            raise wrong_type(f"{at}.data", "an object or an array of objects", data)
        return data
    if kind == "input_image":
        if pictures is None:
            raise BadRequest(
                "The models here see pictures in the input, not in a question: put it there.",
                param=at,
                code="unsupported_content",
            )
        url = _text_in(part, "image_url", at)
        pictures.append(({"type": "image_url", "image_url": {"url": url}}, f"{at}.image_url"))
        return None
    raise wrong_value(f"{at}.type", one_of(("input_text", "input_image", "input_json")), kind)


# --- The questions --------------------------------------------------------------------------------


def _questions(body: dict[str, Any]) -> list[Question]:
    given = Fields.questions(body)
    if len(given) > MOST_QUESTIONS:
        raise wrong_value("questions", f"at most {MOST_QUESTIONS} questions", len(given))
    return [_question(question, f"questions[{number}]") for number, question in enumerate(given)]


def _question(question: Any, at: str) -> Question:
    if not isinstance(question, dict):
        raise wrong_type(at, "an object", question)
    kind = question.get("type")
    if kind not in TYPES:
        raise wrong_value(f"{at}.type", one_of(TYPES), kind)
    name = question.get("name")
    if name is not None and not isinstance(name, str):
        raise wrong_type(f"{at}.name", "a string", name)
    if name is not None and len(name) > LONGEST_NAME:
        raise wrong_value(f"{at}.name", f"at most {LONGEST_NAME} characters", name)
    instructions = _content(question.get("instructions"), f"{at}.instructions", None)
    if not instructions or (isinstance(instructions, str) and not instructions.strip()):
        raise wrong_value(f"{at}.instructions", "a question that is not empty", instructions)
    options: tuple[tuple[str | bool, str | None], ...] = ()
    if kind == "choice":
        options = _options(question, "choices", "value", CHOICES, at)
    elif kind == "score":
        options = _options(question, "levels", "label", LEVELS, at)
    return Question(kind, name, instructions, options)


def _options(
    question: dict[str, Any], field_name: str, key: str, bounds: tuple[int, int], at: str
) -> tuple[tuple[str | bool, str | None], ...]:
    """Values or labels with their descriptions, each once."""
    at = f"{at}.{field_name}"
    given = question.get(field_name)
    if given is None:
        raise missing(at)
    if not isinstance(given, list):
        raise wrong_type(at, "an array", given)
    low, high = bounds
    if not low <= len(given) <= high:
        raise wrong_value(at, f"{low} to {high} {field_name}", len(given))
    options = [_option(option, key, f"{at}[{number}]") for number, option in enumerate(given)]
    seen: set[str] = set()
    for number, (value, _) in enumerate(options):
        # The model reads them as texts: `true` and "true" would be one.
        if option_text(value) in seen:
            raise wrong_value(f"{at}[{number}].{key}", "a value that no other option has", value)
        seen.add(option_text(value))
    return tuple(options)


def _option(option: Any, key: str, at: str) -> tuple[str | bool, str | None]:
    if not isinstance(option, dict):
        raise wrong_type(at, "an object", option)
    value = option.get(key)
    if value is None:
        raise missing(f"{at}.{key}")
    if not (isinstance(value, str) or (key == "value" and isinstance(value, bool))):
        wanted = "a string or a boolean" if key == "value" else "a string"
        raise wrong_type(f"{at}.{key}", wanted, value)
    if isinstance(value, str):
        not_empty(value, f"{at}.{key}")
    description = option.get("description")
    if description is not None and not isinstance(description, str):
        raise wrong_type(f"{at}.description", "a string", description)
    return value, description


def option_text(value: str | bool) -> str:
    """A value as the model reads it."""
    return value if isinstance(value, str) else str(value).lower()
