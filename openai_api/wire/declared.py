"""Fields of a request body, each declared once: the declaration checks the value, with the sentence
that tells the caller what is wrong, and describes itself for the API's own document. Pure.

A reader has a class whose attributes are its fields, named as in the body, and calls them with the
body. A field that is null counts as not given. Raises BadRequest naming the `param`.
"""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from openai_api.wire.fields import (
    LARGEST_NUMBER,
    empty_array,
    missing,
    not_empty,
    one_of,
    tokens_not_supported,
    wrong_type,
    wrong_value,
)

Schema = dict[str, Any]
Body = Mapping[str, Any]

NOT_BLANK = r"\S"
BOOLEAN_OR_NULL: Schema = {"type": ["boolean", "null"]}
# The shape of a field that is refused: null, which counts as not given, is all it may be.
NOT_TAKEN: Schema = {"type": "null"}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
# Longer texts in a form are no sensible numbers, and slow to parse.
_LONGEST_NUMBER = 40
_BEYOND_64_BITS = 2.0**63


class Field:
    """A field of a body. `about` is told in the document, with `examples` of the value; `narrowed`
    is what a reader refuses beside the check, as JSON Schema.
    """

    # Whether a form holds a list of it, as a name that is repeated.
    repeats: ClassVar[bool] = False

    def __init__(
        self,
        about: str = "",
        *,
        required: bool = False,
        narrowed: Schema | None = None,
        examples: Collection[Any] = (),
    ) -> None:
        self.name = ""
        # The name as errors tell it: with that of the object which holds the field.
        self.path = ""
        self.about = about
        self.is_required = required
        self.narrowed = narrowed or {}
        self.examples = list(examples)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.path = name

    def __call__(self, body: Body) -> Any:
        """The value in the body, None where it is not given; each kind of field checks it."""
        return body.get(self.name)

    def of_form(self, text: str) -> Any:
        """What JSON would have in place of a form's text; the text itself where it is no such
        value, which the check then refuses."""
        return text

    def shape(self) -> Schema:
        """The JSON Schema of what passes the check, null aside."""
        raise NotImplementedError

    def schema(self, *, nullable: bool = True) -> Schema:
        """The JSON Schema of the field; a form has no null."""
        shape = {**self.shape(), **self.narrowed}
        if nullable and not self.is_required:
            shape = or_null(shape)
        if self.about:
            shape["description"] = self.about
        if self.examples:
            shape["examples"] = self.examples
        return shape


def or_null(shape: Schema) -> Schema:
    """The schema of what may be null too."""
    if "type" not in shape and "enum" not in shape:
        return {"anyOf": [shape, {"type": "null"}]}
    wider = dict(shape)
    if "enum" in shape:
        wider["enum"] = [*shape["enum"], None]
    if "type" in shape:
        kinds = shape["type"] if isinstance(shape["type"], list) else [shape["type"]]
        wider["type"] = kinds if "null" in kinds else [*kinds, "null"]
    return wider


def reference(name: str) -> Schema:
    """The schema of that name in the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def declared(owner: type) -> dict[str, Field]:
    """The fields of a reader's class, by their names and in its order."""
    return {
        name: value
        for one in reversed(owner.__mro__)
        for name, value in vars(one).items()
        if isinstance(value, Field)
    }


class Described(Field):
    """A field that its reader checks by itself: only its schema is declared."""

    def __init__(self, shape: Schema, about: str = "", **more: Any) -> None:
        super().__init__(about, **more)
        self._shape = shape

    def shape(self) -> Schema:
        return self._shape


class Files(Field):
    """One file of a form, or several of one name."""

    def __init__(self, about: str = "", *, most: int, **more: Any) -> None:
        super().__init__(about, **more)
        self.most = most

    def shape(self) -> Schema:
        file = {"type": "string", "format": "binary", "minLength": 1}
        if self.most == 1:
            return file
        return {"type": "array", "items": file, "minItems": 1, "maxItems": self.most}


class Text(Field):
    def __call__(self, body: Body) -> str | None:
        value = body.get(self.name)
        if value is not None and not isinstance(value, str):
            raise wrong_type(self.path, "a string", value)
        return value

    def shape(self) -> Schema:
        return {"type": "string"}


class FilledText(Field):
    """A text that must be given, and not blank."""

    def __init__(self, about: str = "", **more: Any) -> None:
        super().__init__(about, required=True, **more)

    def __call__(self, body: Body) -> str:
        value = body.get(self.name)
        if value is None:
            raise missing(self.path)
        if not isinstance(value, str):
            raise wrong_type(self.path, "a string", value)
        if not value.strip():
            raise wrong_value(self.path, "a string that is not empty", value)
        return value

    def shape(self) -> Schema:
        return {"type": "string", "pattern": NOT_BLANK}


class Choice(Field):
    def __init__(self, choices: Collection[str], about: str = "", **more: Any) -> None:
        super().__init__(about, **more)
        self.choices = choices

    def __call__(self, body: Body) -> str | None:
        value = body.get(self.name)
        if value is None:
            if self.is_required:
                raise missing(self.path)
            return None
        if not isinstance(value, str):
            raise wrong_type(self.path, "a string", value)
        if value not in self.choices:
            raise wrong_value(self.path, one_of(self.choices), value)
        return value

    def shape(self) -> Schema:
        return {"enum": list(self.choices)}


class _Bounded(Field):
    noun: ClassVar[str]
    most: ClassVar[float] = math.inf  # where no other bound is given

    def __init__(
        self,
        low: float | None = None,
        high: float | None = None,
        about: str = "",
        **more: Any,
    ) -> None:
        super().__init__(about, **more)
        self.low, self.high = low, high
        self._least = -math.inf if low is None else low
        self._most = self.most if high is None else high

    def _beyond(self, value: float) -> Exception:
        high = self._most if value > self._most else self.high
        if high is None:
            takes = f"{self.noun} of at least {self.low}"
        elif self.low is None:
            takes = f"{self.noun} of at most {high}"
        else:
            takes = f"{self.noun} from {self.low} to {high}"
        return wrong_value(self.path, takes, value)

    def _bounds(self) -> Schema:
        bounds = {"minimum": self.low, "maximum": self.high}
        return {name: bound for name, bound in bounds.items() if bound is not None}


class WholeNumber(_Bounded):
    noun = "a whole number"
    most = LARGEST_NUMBER

    def __call__(self, body: Body) -> int | None:
        value = body.get(self.name)
        if value is None:
            if self.is_required:
                raise missing(self.path)
            return None
        if isinstance(value, float) and value.is_integer():
            # Whole numbers beyond 64 bits are rounded when JSON is read.
            if abs(value) >= _BEYOND_64_BITS:
                raise wrong_value(self.path, "a whole number of at most 64 bits", value)
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(self.path, "an integer", value)
        if not self._least <= value <= self._most:
            raise self._beyond(value)
        return value

    def of_form(self, text: str) -> Any:
        return _read_as(int, text)

    def shape(self) -> Schema:
        return {"type": "integer", "maximum": LARGEST_NUMBER, **self._bounds()}


class Number(_Bounded):
    noun = "a number"

    def __call__(self, body: Body) -> float | None:
        value = body.get(self.name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(self.path, "a number", value)
        if not self._least <= value <= self._most:
            raise self._beyond(value)
        return value

    def of_form(self, text: str) -> Any:
        return _read_as(float, text)

    def shape(self) -> Schema:
        return {"type": "number", **self._bounds()}


class Boolean(Field):
    def __call__(self, body: Body) -> bool | None:
        value = body.get(self.name)
        if value is not None and not isinstance(value, bool):
            raise wrong_type(self.path, "a boolean", value)
        return value

    def of_form(self, text: str) -> Any:
        return _BOOLEANS.get(text.strip().lower(), text)

    def shape(self) -> Schema:
        return {"type": "boolean"}


class Object(Field):
    """An object. `members` is a class of fields as a reader's own: all of them are checked with the
    object, whichever of them the reader goes on to use.
    """

    def __init__(self, about: str = "", *, members: type | None = None, **more: Any) -> None:
        super().__init__(about, **more)
        self._members = declared(members) if members is not None else {}

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        for inner in self._members.values():
            inner.path = f"{self.path}.{inner.name}"

    def __call__(self, body: Body) -> dict[str, Any] | None:
        value = body.get(self.name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise wrong_type(self.path, "an object", value)
        for member in self._members.values():
            member(value)
        return value

    def shape(self) -> Schema:
        shape: Schema = {"type": "object"}
        if self._members:
            shape["properties"] = {name: one.schema() for name, one in self._members.items()}
            required = [name for name, one in self._members.items() if one.is_required]
            if required:
                shape["required"] = required
        return shape


class Array(Field):
    repeats = True

    def __call__(self, body: Body) -> list[Any] | None:
        value = body.get(self.name)
        if value is not None and not isinstance(value, list):
            raise wrong_type(self.path, "an array", value)
        return value

    def shape(self) -> Schema:
        return {"type": "array"}


class FilledArray(Field):
    """A list that must be given, with at least one `noun` in it."""

    def __init__(self, noun: str, about: str = "", **more: Any) -> None:
        super().__init__(about, required=True, **more)
        self._noun = noun

    def __call__(self, body: Body) -> list[Any]:
        value = body.get(self.name)
        if value is None:
            raise missing(self.path)
        if not isinstance(value, list):
            raise wrong_type(self.path, "an array", value)
        if not value:
            raise empty_array(self.path, self._noun)
        return value

    def shape(self) -> Schema:
        return {"type": "array", "minItems": 1}


class Texts(Field):
    """A text or a list of texts, none of them empty; `of_tokens` is added to the error on tokens.

    Gives them as a tuple.
    """

    def __init__(self, about: str = "", *, most: int, of_tokens: str = "", **more: Any) -> None:
        super().__init__(about, required=True, **more)
        self._most = most
        self._of_tokens = of_tokens

    def __call__(self, body: Body) -> tuple[str, ...]:
        param, value = self.path, body.get(self.name)
        if value is None:
            raise missing(param)
        if isinstance(value, str):
            return (not_empty(value, param),)
        if not isinstance(value, list):
            raise wrong_type(param, "a string or an array of strings", value)
        if not value:
            raise empty_array(param, "string")
        if any(isinstance(item, int | list) and not isinstance(item, bool) for item in value):
            raise tokens_not_supported(param, self._of_tokens)
        if len(value) > self._most:
            raise wrong_value(param, f"at most {self._most} strings", len(value))
        for position, item in enumerate(value):
            at = f"{param}[{position}]"
            if not isinstance(item, str):
                raise wrong_type(at, "a string", item)
            not_empty(item, at)
        return tuple(value)

    def shape(self) -> Schema:
        text = {"type": "string", "minLength": 1}
        many = {"type": "array", "items": text, "minItems": 1, "maxItems": self._most}
        return {"anyOf": [text, many]}


def _read_as(kind: Callable[[str], float], text: str) -> float | str:
    if len(text) > _LONGEST_NUMBER:
        return text
    try:
        value = kind(text)
        return value if math.isfinite(value) else text
    except (ValueError, OverflowError):
        return text
