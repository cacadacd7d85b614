import inspect

import pytest

from keys import errors


def test_the_drawn_tree_names_every_class_once():
    classes = [name for name, _ in inspect.getmembers(errors, inspect.isclass)]
    drawn = [line.lstrip("│├└─ ").split(" ")[0] for line in errors.__doc__.splitlines()]
    assert sorted(classes) == sorted(name for name in drawn if name in classes)


def test_every_class_is_a_keys_error():
    for _, each in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(each, errors.KeysError)


@pytest.mark.parametrize(
    ("left", "told"),
    [
        ("$0.02", "$0.02 is left"),
        ("1 request", "1 request is left"),
        ("0 requests", "0 requests are left"),
        ("7.5 neurons", "7.5 neurons are left"),
    ],
)
def test_what_is_left_is_told_in_grammar(left: str, told: str) -> None:
    refused = errors.BudgetUsedUp(
        limit="a limit",
        whose="this API key",
        limit_text="much",
        left_text=left,
        asked_text="more",
        window="day",
        reset_at=None,
    )
    assert f"for this API key, {told}, and this request may use up to more." in str(refused)
