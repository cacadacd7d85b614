"""How deep a request's body may be nested."""

import pytest

from openai_api.errors import BadRequest
from openai_api.wire.bounds import DEEPEST_NESTING
from openai_api.wire.fields import json_object


def nested(opening: str, closing: str, levels: int) -> bytes:
    """A body of so many levels, the outermost included."""
    return f'{{"a":{opening * (levels - 1)}1{closing * (levels - 1)}}}'.encode()


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"b":', "}")])
def test_a_body_is_taken_to_its_last_level_and_no_deeper(opening: str, closing: str) -> None:
    assert json_object(nested(opening, closing, DEEPEST_NESTING))
    with pytest.raises(BadRequest, match="nested deeper than 200 levels"):
        json_object(nested(opening, closing, DEEPEST_NESTING + 1))


@pytest.mark.parametrize("innermost", ["{}", "[]", '{"c":"x"}', '{"c":[]}', "[{},5]"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"b":', "}")])
def test_the_last_level_is_one_whatever_it_holds(
    opening: str, closing: str, innermost: str
) -> None:
    above = DEEPEST_NESTING - 1 - (innermost in ('{"c":[]}', "[{},5]"))
    for levels in (above, above + 1):
        outer = opening * (levels - 1), closing * (levels - 1)
        body = f'{{"a":{outer[0]}{innermost}{outer[1]},"d":[1]}}'.encode()
        if levels == above:
            assert json_object(body)
        else:
            with pytest.raises(BadRequest, match="nested deeper than 200 levels"):
                json_object(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b",".join([b"{}"] * 1000) + b"]}",
        b'{"a":"' + b"{[" * 1000 + b'"}',
        b'{"' + b"[" * 1000 + b'":1}',
    ],
)
def test_many_brackets_are_not_depth(body: bytes) -> None:
    assert json_object(body)


@pytest.mark.parametrize("levels", [150, 250])
def test_objects_and_arrays_count_alike(levels: int) -> None:
    body = nested('[{"b":', "}]", levels // 2)
    if levels <= DEEPEST_NESTING:
        assert json_object(body)
    else:
        with pytest.raises(BadRequest):
            json_object(body)
