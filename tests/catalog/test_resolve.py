import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import breaker, errors
from catalog.classify.facts import ENDPOINTS, ImageRecipe
from catalog.errors import (
    AmbiguousName,
    CatalogEmpty,
    CatalogError,
    ModelDisabled,
    ModelNotAllowed,
    ModelNotFound,
    ModelRetired,
    ModelUnavailable,
    NeedsInputImage,
    NotRunnable,
    UnpricedModel,
    WrongEndpoint,
)
from catalog.pricing.prices import Prices
from catalog.resolve import listed, listing, newest, resolve, standbys, why_not
from catalog.snapshot import EMPTY, ModelRecord, Snapshot

PRICED = Prices({"input_tokens": 1})


def everything(name: str) -> bool:
    return True


def only(*names: str) -> Any:
    return lambda name: name in names


CHAT = ModelRecord("@cf/meta/llama", endpoints=frozenset({"chat"}), prices=PRICED)
PICTURES = ModelRecord("@cf/bfl/flux", endpoints=frozenset({"images"}))
IMG2IMG = ModelRecord(
    "@cf/sd/img2img",
    endpoints=frozenset({"image_edits"}),
    refusals={"images": "it needs an input image"},
    image=ImageRecipe(needs_image=True),
)
CLEF = ModelRecord("@cf/cf/clef", refusals={"chat": "it takes no messages"})
RETIRED = ModelRecord("@cf/meta/old", endpoints=frozenset({"chat"}), retired=True)
DISABLED = ModelRecord("@cf/meta/off", endpoints=frozenset({"chat"}), enabled=False)
RECORDS = (CHAT, PICTURES, IMG2IMG, CLEF, RETIRED, DISABLED)
CATALOG = Snapshot(
    models={record.name: record for record in RECORDS},
    aliases={"gpt-4o": CHAT.name, "old-one": RETIRED.name, "gone": "@cf/not/there"},
)


def refused(name: str, endpoint: str = "chat", allows: Any = everything) -> CatalogError:
    with pytest.raises(CatalogError) as raised:
        resolve(name, endpoint=endpoint, allows=allows, snapshot=CATALOG)
    return raised.value


def test_a_model_resolves_by_its_exact_name() -> None:
    assert resolve(CHAT.name, endpoint="chat", allows=everything, snapshot=CATALOG) is CHAT


@pytest.mark.parametrize("name", ["cf/meta/llama", "meta/llama", "llama"])
def test_a_name_may_leave_out_its_beginning(name: str) -> None:
    assert resolve(name, endpoint="chat", allows=everything, snapshot=CATALOG) is CHAT
    entry = listed(name, served=["chat"], allows=everything, snapshot=CATALOG)
    assert (entry.id, entry.is_alias) == (CHAT.name, False)


def test_a_shorter_name_gives_no_rights() -> None:
    assert isinstance(refused("llama", allows=only("llama", "meta/llama")), ModelNotAllowed)
    assert resolve("llama", endpoint="chat", allows=only(CHAT.name), snapshot=CATALOG) is CHAT


def test_an_alias_beats_a_shorter_name() -> None:
    catalog = Snapshot(models=CATALOG.models, aliases={"llama": PICTURES.name})
    assert resolve("llama", endpoint="images", allows=everything, snapshot=catalog) is PICTURES


def test_a_shorter_name_of_several_models_is_answered_with_them() -> None:
    other = ModelRecord("@hf/them/llama", endpoints=frozenset({"chat"}), prices=PRICED)
    gone = ModelRecord("@cf/old/llama", endpoints=frozenset({"chat"}), retired=True)
    catalog = Snapshot(models={record.name: record for record in (CHAT, other, gone)})

    def error(allows: Any) -> CatalogError:
        with pytest.raises(CatalogError) as raised:
            resolve("llama", endpoint="chat", allows=allows, snapshot=catalog)
        return raised.value

    ambiguous = error(everything)
    assert isinstance(ambiguous, AmbiguousName)
    assert ambiguous.near == (CHAT.name, other.name)
    assert f"{CHAT.name}, {other.name}" in str(ambiguous)
    assert "@hf" not in str(error(only(CHAT.name)))
    assert isinstance(error(only("nothing")), ModelNotFound)
    found = resolve("them/llama", endpoint="chat", allows=everything, snapshot=catalog)
    assert found is other


@pytest.mark.parametrize("name", ["lama", "@CF/META/LLAMA", "LLAMA", "@cf/meta/llama/", "", " "])
def test_no_other_spelling_is_guessed_at(name: str) -> None:
    assert isinstance(refused(name), ModelNotFound)


def test_an_alias_resolves_to_its_model() -> None:
    assert resolve("gpt-4o", endpoint="chat", allows=everything, snapshot=CATALOG) is CHAT


def test_a_model_beats_an_alias_of_the_same_name() -> None:
    catalog = Snapshot(models=CATALOG.models, aliases={PICTURES.name: CHAT.name})
    found = resolve(PICTURES.name, endpoint="images", allows=everything, snapshot=catalog)
    assert found is PICTURES


def test_an_unknown_model_is_answered_with_near_names() -> None:
    error = refused("@cf/meta/lama")
    assert isinstance(error, ModelNotFound)
    assert CHAT.name in error.near
    assert CHAT.name in str(error)


def test_near_names_leave_out_what_the_key_may_not_know() -> None:
    assert refused("@cf/meta/lama", allows=only(PICTURES.name)).near == ()  # type: ignore[attr-defined]


def test_a_huge_or_unprintable_name_is_quoted_short_and_on_one_line() -> None:
    text = str(refused("evil\n" * 10_000))
    assert len(text) < 300
    assert "\n" not in text


def test_retired_disabled_and_dangling_names_read_as_not_found() -> None:
    for name, kind in (
        (RETIRED.name, ModelRetired),
        (DISABLED.name, ModelDisabled),
        ("old-one", ModelRetired),
        ("gone", ModelNotFound),
    ):
        error = refused(name)
        assert type(error) is kind
        assert isinstance(error, ModelUnavailable)
        assert f"The model `{name}` does not exist." in str(error)


def test_a_name_of_no_model_stands_for_the_newest_that_may_run() -> None:
    guards = [
        ModelRecord(f"@cf/meta/guard-{n}", created=n, endpoints=frozenset({"moderations"}))
        for n in range(3)
    ]
    latest = ModelRecord(
        "@cf/meta/off", created=9, endpoints=frozenset({"moderations"}), enabled=False
    )
    catalog = Snapshot(models={record.name: record for record in (*guards, latest, CHAT)})

    def found(allows: Any) -> ModelRecord:
        return newest(endpoint="moderations", called="omni", allows=allows, snapshot=catalog)

    assert found(everything) is guards[2]
    assert found(only("@cf/meta/guard-1")) is guards[1]
    assert found(only("omni")) is guards[2]
    with pytest.raises(ModelNotAllowed, match="`omni`"):
        found(only(CHAT.name))


@pytest.mark.parametrize(("snapshot", "error"), [(EMPTY, CatalogEmpty), (CATALOG, ModelNotFound)])
def test_a_name_of_no_model_is_refused_where_no_model_can(
    snapshot: Snapshot, error: type[CatalogError]
) -> None:
    with pytest.raises(error):
        newest(endpoint="moderations", called="omni", allows=everything, snapshot=snapshot)


def test_the_wrong_endpoint_is_told_the_right_one() -> None:
    error = refused(PICTURES.name)
    assert isinstance(error, WrongEndpoint)
    assert error.served_by == ("images",)
    assert "it is served by images" in str(error)


def test_a_model_that_needs_a_picture_says_so() -> None:
    error = refused(IMG2IMG.name, "images")
    assert isinstance(error, NeedsInputImage)
    assert "it needs an input image" in str(error)


def test_a_model_that_nearly_fits_says_why_it_does_not() -> None:
    error = refused(CLEF.name)
    assert type(error) is NotRunnable
    assert error.reason == "it takes no messages"


def test_a_model_that_the_key_does_not_allow_is_refused_as_such() -> None:
    assert isinstance(refused(CHAT.name, allows=only("@cf/other")), ModelNotAllowed)


def test_a_key_that_allows_the_model_may_use_its_alias() -> None:
    allows = only(CHAT.name)
    assert resolve("gpt-4o", endpoint="chat", allows=allows, snapshot=CATALOG) is CHAT


def test_a_key_that_allows_the_alias_may_use_the_model_by_the_alias_alone() -> None:
    allows = only("gpt-4o")
    assert resolve("gpt-4o", endpoint="chat", allows=allows, snapshot=CATALOG) is CHAT
    assert isinstance(refused(CHAT.name, allows=allows), ModelNotAllowed)
    assert [entry.id for entry in listing(served=["chat"], allows=allows, snapshot=CATALOG)] == [
        "gpt-4o"
    ]


def test_unpriced_models_run_unless_the_setting_forbids_it(settings: Any) -> None:
    settings.ALLOW_UNPRICED_MODELS = True
    assert why_not(PICTURES, "images", everything) is None
    settings.ALLOW_UNPRICED_MODELS = False
    assert isinstance(why_not(PICTURES, "images", everything), UnpricedModel)
    assert why_not(CHAT, "chat", everything) is None


def test_an_empty_catalog_is_told_apart_from_an_unknown_model() -> None:
    with pytest.raises(CatalogEmpty):
        resolve("@cf/meta/llama", endpoint="chat", allows=everything, snapshot=EMPTY)


def test_the_list_begins_with_what_chats_then_goes_by_id() -> None:
    entries = listing(served=["chat", "images"], allows=everything, snapshot=CATALOG)
    assert [entry.id for entry in entries] == [CHAT.name, "gpt-4o", PICTURES.name]
    alias = entries[1]
    assert alias.is_alias and alias.record is CHAT
    assert alias.endpoints == {"chat"}


def test_a_protocol_narrows_the_list() -> None:
    def ids(protocol: str, served: list[str]) -> list[str]:
        entries = listing(
            served=served, protocol_endpoint=protocol, allows=everything, snapshot=CATALOG
        )
        return [entry.id for entry in entries]

    assert ids("images", ["chat", "images"]) == [PICTURES.name]
    assert ids("image_edits", ["chat", "images"]) == []


def test_one_entry_of_the_list_can_be_asked_for() -> None:
    assert listed("gpt-4o", served=["chat"], allows=everything, snapshot=CATALOG).record is CHAT
    for name in (RETIRED.name, IMG2IMG.name, "nothing"):
        with pytest.raises(ModelNotFound):
            listed(name, served=["chat", "images"], allows=everything, snapshot=CATALOG)


NAMES = [*CATALOG.models, *CATALOG.aliases, "unknown"]


@given(
    name=st.sampled_from(NAMES),
    endpoint=st.sampled_from(sorted(ENDPOINTS)),
    allowed=st.sets(st.sampled_from(NAMES)),
)
def test_what_is_listed_runs_and_what_runs_is_listed(
    name: str, endpoint: str, allowed: set[str]
) -> None:
    allows = allowed.__contains__
    is_listed = name in [
        entry.id for entry in listing(served=[endpoint], allows=allows, snapshot=CATALOG)
    ]
    try:
        resolve(name, endpoint=endpoint, allows=allows, snapshot=CATALOG)
    except CatalogError as error:
        assert not is_listed, error
    else:
        assert is_listed


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    drawn = set(re.findall(r"\w+", errors.__doc__.split("\n\n", 2)[1] if errors.__doc__ else ""))
    real = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, CatalogError)
    }
    assert {word for word in drawn if word[0].isupper()} == real


SECOND = ModelRecord("@cf/qwen/second", endpoints=frozenset({"chat"}), prices=PRICED)
THIRD = ModelRecord("@cf/qwen/third", endpoints=frozenset({"chat"}), prices=PRICED)
WITH_FALLBACKS = Snapshot(
    models={record.name: record for record in (*RECORDS, SECOND, THIRD)},
    aliases={"team": CHAT.name, "gone": RETIRED.name, "pictures-last": CHAT.name},
    fallbacks={
        "team": (PICTURES.name, SECOND.name, THIRD.name),
        "gone": (DISABLED.name, SECOND.name),
        "pictures-last": (PICTURES.name,),
    },
)


@pytest.fixture
def no_rests() -> Iterator[None]:
    breaker.forget()
    yield
    breaker.forget()


def chats(name: str, allows: Any = everything) -> str:
    return resolve(name, endpoint="chat", allows=allows, snapshot=WITH_FALLBACKS).name


@pytest.mark.usefixtures("no_rests")
def test_an_alias_goes_on_to_its_fallbacks() -> None:
    assert chats("team") == CHAT.name
    assert chats("gone") == SECOND.name, "its model is retired, the next one off"
    assert chats("team", only(THIRD.name)) == THIRD.name, "a key without right to the alias"
    breaker.failed(CHAT.name, "no capacity")
    assert chats("team") == SECOND.name
    assert chats(CHAT.name) == CHAT.name, "who names the model gets it"
    assert chats("pictures-last") == CHAT.name, "nothing else chats"
    breaker.failed(SECOND.name, "no capacity")
    breaker.failed(THIRD.name, "no capacity")
    assert chats("team") == CHAT.name, "all rest: the first is asked all the same"
    breaker.answered(CHAT.name)
    assert chats("team") == CHAT.name


@pytest.mark.usefixtures("no_rests")
def test_standbys_are_those_that_were_not_tried_the_rested_first() -> None:
    def names(*tried: str) -> list[str]:
        able = standbys(
            "team", endpoint="chat", allows=everything, tried=tried, snapshot=WITH_FALLBACKS
        )
        return [record.name for record in able]

    assert names(CHAT.name) == [SECOND.name, THIRD.name]
    breaker.failed(SECOND.name, "no capacity")
    assert names(CHAT.name) == [THIRD.name, SECOND.name]
    assert names(CHAT.name, THIRD.name, SECOND.name) == []


def test_a_list_shows_an_alias_with_what_it_can_run() -> None:
    shown = {
        entry.id: entry.record.name
        for entry in listing(served=("chat",), allows=everything, snapshot=WITH_FALLBACKS)
    }
    assert shown["team"] == CHAT.name
    assert shown["gone"] == SECOND.name
