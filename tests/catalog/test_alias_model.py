import json

import pytest
from django.core.management import CommandError, call_command

from catalog import snapshot
from catalog.models import Alias, CatalogModel
from catalog.resolve import resolve
from tests.catalog.entries import LLAMA

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def model() -> CatalogModel:
    CatalogModel.objects.create(name="@cf/meta/other")
    return CatalogModel.objects.create(name=LLAMA)


def test_makes_an_alias(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("alias_model", "gpt-4o", LLAMA)
    assert Alias.objects.get(alias="gpt-4o").target.name == LLAMA
    assert capsys.readouterr().out == f"gpt-4o → {LLAMA}\n"


def test_moves_an_alias() -> None:
    call_command("alias_model", "gpt-4o", LLAMA)
    call_command("alias_model", "gpt-4o", "@cf/meta/other")
    assert Alias.objects.get().target.name == "@cf/meta/other"


def test_removes_an_alias() -> None:
    call_command("alias_model", "gpt-4o", LLAMA)
    call_command("alias_model", "--remove", "gpt-4o")
    assert not Alias.objects.exists()


def test_removing_what_is_not_there_fails() -> None:
    with pytest.raises(CommandError, match="There is no alias gpt-4o"):
        call_command("alias_model", "--remove", "gpt-4o")


def test_lists_aliases_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("alias_model", "gpt-4o", LLAMA)
    capsys.readouterr()
    call_command("alias_model", "--list", "--json")
    assert json.loads(capsys.readouterr().out) == [
        {"alias": "gpt-4o", "model": LLAMA, "fallbacks": []}
    ]


def test_further_models_are_its_fallbacks_in_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    CatalogModel.objects.create(name="@cf/meta/third")
    call_command("alias_model", "gpt-4o", LLAMA, "@cf/meta/third", "@cf/meta/other")
    assert capsys.readouterr().out == f"gpt-4o → {LLAMA} → @cf/meta/third → @cf/meta/other\n"
    # What is said again replaces what was said before, in any order of the same models.
    call_command("alias_model", "gpt-4o", "@cf/meta/other", LLAMA, "--json")
    assert json.loads(capsys.readouterr().out) == {
        "alias": "gpt-4o",
        "model": "@cf/meta/other",
        "fallbacks": [LLAMA],
    }
    assert snapshot.load().fallbacks == {"gpt-4o": (LLAMA,)}
    call_command("alias_model", "gpt-4o", LLAMA)
    assert snapshot.load().fallbacks == {}


@pytest.mark.parametrize(
    ("others", "says"),
    [
        (["@cf/no/such"], "has no model @cf/no/such"),
        (["@cf/meta/other", "@cf/meta/other"], "named twice"),
        ([LLAMA], "named twice"),
        (["@cf/meta/gone"], "@cf/meta/gone is retired"),
        ([f"@cf/m/{n}" for n in range(9)], "at most 8 fallbacks"),
    ],
)
def test_fallbacks_that_cannot_be_change_nothing(others: list[str], says: str) -> None:
    CatalogModel.objects.create(name="@cf/meta/gone", retired_at="2026-01-01T00:00:00Z")
    call_command("alias_model", "gpt-4o", "@cf/meta/other", LLAMA)
    with pytest.raises(CommandError, match=says):
        call_command("alias_model", "gpt-4o", LLAMA, *others)
    alias = Alias.objects.get()
    assert [alias.target.name, *map(str, alias.fallbacks.all())] == ["@cf/meta/other", LLAMA]


def test_the_name_of_a_model_that_goes_may_lead_on(model: CatalogModel) -> None:
    CatalogModel.objects.filter(name="@cf/meta/other").update(planned_deprecation_date="2027-01-01")
    call_command("alias_model", "@cf/meta/other", LLAMA)
    before = resolve("@cf/meta/other", endpoint="chat", allows=lambda name: True, snapshot=able())
    assert before.name == "@cf/meta/other"
    CatalogModel.objects.filter(name="@cf/meta/other").update(retired_at="2027-01-02T00:00:00Z")
    after = resolve("@cf/meta/other", endpoint="chat", allows=lambda name: True, snapshot=able())
    assert after.name == LLAMA


def able() -> snapshot.Snapshot:
    """The stored catalog, in which every model chats and has a price."""
    CatalogModel.objects.update(
        classification={"endpoints": ["chat"]}, operator_prices={"amounts": {"input_tokens": 1}}
    )
    return snapshot.load()


def test_an_unknown_model_is_refused_with_near_matches() -> None:
    with pytest.raises(CommandError, match="has no model llama-3.3-70b.* Close to it: " + LLAMA):
        call_command("alias_model", "gpt-4o", "llama-3.3-70b-instruct")
    assert not Alias.objects.exists()


def test_a_retired_model_is_refused(model: CatalogModel) -> None:
    CatalogModel.objects.update(retired_at="2026-01-01T00:00:00Z")
    with pytest.raises(CommandError, match="is retired"):
        call_command("alias_model", "gpt-4o", LLAMA)


def test_the_name_of_a_model_is_refused() -> None:
    with pytest.raises(CommandError, match="is the name of a model"):
        call_command("alias_model", "@cf/meta/other", LLAMA)


@pytest.mark.parametrize(
    "arguments", [[], ["gpt-4o"], ["a", "b", "--list"], ["--list", "--remove", "a"]]
)
def test_half_a_request_says_what_is_taken(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="Give ALIAS and MODEL"):
        call_command("alias_model", *arguments)


@pytest.mark.parametrize("name", ["a b", "50%", "a?b"])
def test_a_name_that_clients_could_not_send_is_refused_in_words(name: str) -> None:
    with pytest.raises(CommandError, match="one word without spaces and without any of"):
        call_command("alias_model", name, LLAMA)
