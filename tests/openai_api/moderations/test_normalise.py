"""Verdicts in every form that a guard gives them."""

from typing import Any

import pytest

from openai_api.moderations.categories import BY_HAZARD, CATEGORIES, categories_of
from openai_api.moderations.normalise import Verdict, verdict_of
from workers_ai.errors import UnusableAnswer

SAFE = Verdict(True)


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        ("safe", SAFE),
        ("\n\nsafe\n", SAFE),
        ("Safe.", SAFE),
        ("unsafe\nS1", Verdict(False, ("S1",))),
        ("\n\nunsafe\nS1,S14", Verdict(False, ("S1", "S14"))),
        ("unsafe\ns2, S10", Verdict(False, ("S2", "S10"))),
        ("unsafe S9", Verdict(False, ("S9",))),
        ("unsafe", Verdict(False)),
        ({"safe": True, "categories": []}, SAFE),
        ({"safe": True}, SAFE),
        ({"safe": False, "categories": ["S1", "S11"]}, Verdict(False, ("S1", "S11"))),
        ({"safe": False, "categories": ["S4: Child Exploitation"]}, Verdict(False, ("S4",))),
        ({"safe": "false", "categories": "S3,S12"}, Verdict(False, ("S3", "S12"))),
        ({"safe": False, "categories": None}, Verdict(False)),
        ('{"safe": false, "categories": ["S5"]}', Verdict(False, ("S5",))),
    ],
)
def test_a_verdict_is_read(response: Any, verdict: Verdict) -> None:
    assert verdict_of({"response": response, "usage": {}})[0] == verdict
    message = {"role": "assistant", "content": response}
    assert verdict_of({"choices": [{"index": 0, "message": message}]})[0] == verdict


def test_a_verdict_may_come_without_a_wrapping() -> None:
    assert verdict_of({"safe": False, "categories": ["S7"]})[0] == Verdict(False, ("S7",))


@pytest.mark.parametrize(
    "result",
    [
        None,
        "",
        {},
        {"response": None},
        {"response": 3},
        {"response": ""},
        {"response": "I cannot judge this."},
        {"response": "safety first"},
        {"response": {}},
        {"response": {"safe": None}},
        {"response": {"safe": 1}},
        {"response": '{"safe": fal'},
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"message": {"content": None}}]},
    ],
)
def test_what_is_no_verdict_is_unusable(result: Any) -> None:
    with pytest.raises(UnusableAnswer):
        verdict_of(result)


def test_each_hazard_has_categories_of_openai() -> None:
    assert list(BY_HAZARD) == [f"S{number}" for number in range(1, 15)]
    for hazard in BY_HAZARD:
        assert categories_of([hazard])
        assert categories_of([hazard]) <= set(CATEGORIES)


def test_a_hazard_of_a_later_guard_is_not_lost() -> None:
    assert categories_of(["S15"]) == {"illicit"}
    assert categories_of([]) == frozenset()
