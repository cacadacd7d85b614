"""Numbers keep their text on the way through."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openai_api.wire.exact_json import as_text, dump_exact, parse_exact

NUMBERS = ["6", "0.50", "3.10", "3e+50", "-0", "1E5", "123456789012345678901234567890", "1e999"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_keeps_its_text(number: str) -> None:
    assert as_text(parse_exact(number)) == number
    assert dump_exact(parse_exact(f'{{"a": [{number}]}}')) == f'{{"a": [{number}]}}'


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("null", ""),
        ("true", "true"),
        ("false", "false"),
        ('"x"', "x"),
        ('{"a": null}', '{"a": null}'),
    ],
)
def test_other_values_read_as_a_model_would_write_them(raw: str, text: str) -> None:
    assert as_text(parse_exact(raw)) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_any_tree_survives(value: object) -> None:
    assert json.loads(dump_exact(parse_exact(json.dumps(value)))) == value
