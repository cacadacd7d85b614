import pytest

from keys.written_limits import (
    KINDS,
    BadLimit,
    WrittenLimit,
    ensure_each_once,
    limit_from_text,
    raise_from_text,
)


@pytest.mark.parametrize(
    ("text", "amount", "models"),
    [
        ("rpm=20 @cf/moonshotai/*", 20, ("@cf/moonshotai/*",)),
        ("rpm=20 @cf/moonshotai/* gpt-4o", 20, ("@cf/moonshotai/*", "gpt-4o")),
        ("tpd=1000 @cf/a/*,@cf/b/*, @cf/a/*", 1000, ("@cf/a/*", "@cf/b/*")),
        ("--weekly-usd=2.5", 2_500_000_000, ()),
        ("daily-neurons=0.5 @cf/x/*", 500_000, ("@cf/x/*",)),
        ("concurrency=3\t@cf/x/*\n", 3, ("@cf/x/*",)),
        ("rpm= @cf/x/*", None, ("@cf/x/*",)),
        ("daily-usd=", None, ()),
    ],
)
def test_a_limit_in_words_is_read(text, amount, models):
    limit = limit_from_text(text)
    assert (limit.amount, limit.models) == (amount, models)
    assert limit_from_text(str(limit)) == limit


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with one of rpm, rpd"),
        ("rps=20", "begins with one of rpm, rpd"),
        ("20", "begins with one of rpm, rpd"),
        ("rpm", "no amount"),
        ("rpm=0", "rpm takes a whole number above 0"),
        ("rpm=-1", "rpm takes a whole number above 0"),
        ("rpm=1.5 @cf/x/*", "rpm takes a whole number above 0"),
        ("rpm=@cf/x/*", "rpm takes a whole number above 0"),
        ("rpm=+5", "rpm takes a whole number above 0"),
        ("rpm=1e3", "rpm takes a whole number above 0"),
        (f"tpm={2**70}", "tpm takes a whole number above 0"),
        ("daily-usd=free", "daily-usd takes an amount above 0"),
        ("daily-usd=nan", "daily-usd takes an amount above 0"),
        ("daily-usd=0.0000000001", "daily-usd takes an amount above 0"),
        ("daily-neurons=0", "daily-neurons takes a number above 0"),
        # Somebody who means 20 must not take the limit away.
        ("rpm= 20 @cf/x/*", "write rpm=20"),
    ],
)
def test_a_text_that_is_no_limit_is_refused_in_the_words_of_whoever_wrote_it(text, says):
    with pytest.raises(BadLimit, match=says):
        limit_from_text(text)


def test_every_kind_reads_what_it_writes():
    for kind in KINDS.values():
        limit = limit_from_text(f"{kind.name}=7 @cf/x/*")
        assert str(limit) == f"{kind.name}=7 @cf/x/*"


def test_one_limit_is_not_there_twice_in_whatever_order_its_models_are():
    limits = [limit_from_text("rpm=5 a b"), limit_from_text("rpm=6 b"), limit_from_text("rpd=5")]
    ensure_each_once(limits)
    with pytest.raises(BadLimit, match="rpm b a is there twice"):
        ensure_each_once([*limits, WrittenLimit(KINDS["rpm"], 7, ("b", "a"))])


@pytest.mark.parametrize(
    ("text", "amount", "is_added", "models"),
    [
        ("daily-usd=+20", 20_000_000_000, True, ()),
        ("rpm=120", 120, False, ()),
        ("rpm=+5 @cf/x/*", 5, True, ("@cf/x/*",)),
    ],
)
def test_a_raise_is_to_an_amount_or_by_one(text, amount, is_added, models):
    told = raise_from_text(text)
    assert (told.amount, told.is_added, told.models) == (amount, is_added, models)


@pytest.mark.parametrize("text", ["rpm=", "rpm=+", "rpm=++5", "rpm=+-5", "rpm=+0", "x=5", "rpm"])
def test_a_raise_without_an_amount_above_0_is_refused(text):
    with pytest.raises(BadLimit):
        raise_from_text(text)
