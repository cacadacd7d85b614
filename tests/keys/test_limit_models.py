"""Limits of the one form and their raises, as they are stored and as requests have them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from keys.access.key_index import KeyIndex
from keys.held_limits import HeldLimit, Raised, Subject, effective
from keys.limit_texts import limit_text, subject_text
from keys.models import Limit, Membership, OwnerLimits, Raise, Revision, Team
from tests.keys.factories import Clock, issued

NOON = datetime(2027, 5, 10, 12, tzinfo=UTC)
KIMI = ["@cf/moonshotai/*"]


def limit(holder_kind="everybody", holder_id=0, what="requests", window="day", models=(), amount=7):
    return Limit(
        holder_kind=holder_kind,
        holder_id=holder_id,
        what=what,
        window=window,
        model_patterns=list(models),
        amount=amount,
    )


def texts(index, text_of_key):
    [record] = index._records.values()
    return [limit_text(each) for each in record.effective_limits]


@pytest.fixture
def index(db):
    clock = Clock(NOON.timestamp())
    made = KeyIndex(clock)
    made.clock = clock
    return made


def test_all_that_hold_for_a_key_are_with_it_the_tightest_of_a_kind_first(index):
    key, text = issued(requests_per_minute=50, daily_budget_nano_usd=2 * 10**9)
    OwnerLimits.objects.create(owner=key.owner, requests_per_minute=20)
    for made in (
        limit("key", key.pk, "requests", "minute", KIMI, 5),
        limit("user", key.pk, "usd", "day", amount=10**9),
        limit("everybody", 0, "neurons", "week", amount=3_000_000),
        limit("key", key.pk + 1, "requests", "day", amount=1),
    ):
        made.full_clean()
        made.save()
    index.load("")
    assert texts(index, text) == [
        "5 requests per minute for @cf/moonshotai/*",
        "20 requests per minute",
        "50 requests per minute",
        "$1 per day",
        "$2 per day",
        "3 neurons per week",
    ]


@pytest.mark.parametrize("how", ["save", "update", "bulk_create", "delete", "end"])
@pytest.mark.parametrize("whose", ["key", "owner", "team", "everybody", "user"])
def test_each_change_of_a_limit_reaches_workers_that_poll(index, whose, how):
    key, text = issued()
    team = Team.objects.create(name="research", pk=90)
    Membership.objects.create(user=key.owner, team=team)
    holders = {"key": key.pk, "owner": key.owner_id, "team": team.pk, "user": key.pk}
    holder = holders.get(whose, 0)
    made = limit(whose, holder, window="week")
    if how in ("update", "delete", "end"):
        made.save()
    raised = Raise(
        **{name: getattr(made, name) for name in ("holder_kind", "holder_id", "what", "window")},
        plus=3,
        made_at=NOON,
        until=NOON + timedelta(hours=1),
        why="a demonstration",
    )
    if how == "end":
        raised.full_clean()
        raised.save()
    index.load("")
    before = texts(index, text)
    if how == "save":
        made.save()
    elif how == "update":
        Limit.objects.update(amount=9)
    elif how == "bulk_create":
        Limit.objects.bulk_create([made])
    elif how == "delete":
        Limit.objects.all().delete()
    else:
        assert raised.end(NOON)
        assert not raised.end(NOON)
    index.poll()
    after = texts(index, text)
    assert (before, after) == {
        "save": ([], ["7 requests per week"]),
        "update": (["7 requests per week"], ["9 requests per week"]),
        "bulk_create": ([], ["7 requests per week"]),
        "delete": (["7 requests per week"], []),
        "end": (["10 requests per week"], ["7 requests per week"]),
    }[how]


def test_a_raise_ends_by_itself_without_a_change_in_the_database(index):
    key, text = issued(daily_budget_nano_usd=2 * 10**9)
    about = {"holder_kind": "key", "holder_id": key.pk, "what": "usd", "window": "day"}
    ends = NOON + timedelta(hours=1)
    Raise.objects.create(**about, plus=10**9, made_at=NOON, until=ends, why="a demonstration")
    index.load("")
    assert texts(index, text) == ["$3 per day"]
    number = Revision.current()
    index.clock.now = ends.timestamp()
    index.poll()
    assert (texts(index, text), Revision.current()) == (["$2 per day"], number)


def test_raises_add_up_and_never_lower_a_limit():
    subject = Subject("key", 1, "requests", "day")
    usual = [HeldLimit(subject, 10)]

    def raised(*raises):
        [limit] = effective(usual, raises, now=100.0)
        return limit.amount, limit.is_raised

    assert raised() == (10, False)
    assert raised(Raised(subject, 200.0, plus=5), Raised(subject, 101.0, plus=2)) == (17, True)
    assert raised(Raised(subject, 200.0, amount=30), Raised(subject, 200.0, plus=5)) == (30, True)
    assert raised(Raised(subject, 200.0, amount=3)) == (10, False)
    assert raised(Raised(subject, 100.0, plus=5)) == (10, False)
    assert raised(Raised(Subject("key", 2, "requests", "day"), 200.0, plus=5)) == (10, False)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"what": "usd", "window": "minute"}, "'usd' are counted per day, week, month or in all"),
        ({"what": "concurrency", "window": "day"}, "Requests at once have no window"),
        ({"holder_kind": "key"}, "Everybody has no id"),
        ({"holder_id": 3}, "Everybody has no id"),
        ({"amount": -1}, "A limit is 0 or more"),
        ({"amount": 2**62 + 1}, "more than anybody can use"),
        ({"models": [""]}, "list of texts, none of them empty"),
        ({"models": ["x" * 201]}, "at most 200 characters"),
        ({"models": [f"m{n}" for n in range(21)]}, "at most 20 patterns"),
        ({"what": "pages"}, "'pages' is not a valid choice"),
        (
            {"holder_kind": "key", "holder_id": 3, "window": "minute"},
            "set in the field “requests per minute” of the key itself",
        ),
    ],
)
def test_a_limit_that_cannot_be_is_refused_in_words(db, fields, words):
    with pytest.raises(ValidationError) as caught:
        limit(**fields).full_clean()
    assert words in " ".join(caught.value.messages)


def test_there_is_one_limit_of_a_kind_whatever_the_order_of_its_models(db):
    limit(models=["b", "a"]).save()
    again = limit(models=["a", "b", "a"])
    with pytest.raises(ValidationError, match="There is such a limit already"):
        again.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        again.save()
    limit(models=["a"]).full_clean()


def test_a_raise_is_of_a_limit_that_there_is_and_to_more(db):
    limit(models=KIMI).save()
    about = {"holder_kind": "everybody", "what": "requests", "window": "day", "why": "x"}
    until = NOON + timedelta(days=1)

    def problem(**fields):
        with pytest.raises(ValidationError) as caught:
            Raise(**{**about, "made_at": NOON, "until": until, **fields}).full_clean()
        return " ".join(caught.value.messages)

    assert "There is no requests per day for everybody to raise" in problem(plus=1)
    on_kimi = {"model_patterns": KIMI}
    assert "to more than the limit" in problem(**on_kimi, amount=7)
    assert "to an amount or by an amount" in problem(**on_kimi, amount=9, plus=1)
    assert "to an amount or by an amount" in problem(**on_kimi)
    assert "ends in the future" in problem(**on_kimi, plus=1, until=NOON - timedelta(days=1))
    Raise(**about, **on_kimi, made_at=NOON, until=until, plus=1).full_clean()


def test_a_limit_is_named_with_its_holder_and_models():
    subject = Subject("team", 3, "usd", "day", ("@cf/moonshotai/*",))
    assert subject_text(subject, "research") == (
        "daily budget for the team research on @cf/moonshotai/*"
    )
