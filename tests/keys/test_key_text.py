import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import key_text


def test_a_key_has_the_published_form():
    assert re.fullmatch(r"sk-wai-[0-9A-Za-z]{43}[0-9A-Za-z]{6}", key_text.make_key())


def test_two_keys_are_never_the_same():
    assert len({key_text.make_key() for _ in range(200)}) == 200


def test_the_smallest_and_largest_secret_have_the_same_length(monkeypatch):
    for bits in (0, 2**256 - 1):
        monkeypatch.setattr(key_text.secrets, "randbits", lambda _, bits=bits: bits)
        text = key_text.make_key()
        assert len(text) == key_text.KEY_LENGTH
        assert key_text.is_well_formed(text)


@given(st.integers(7, key_text.KEY_LENGTH - 1), st.sampled_from("0Zz-"))
def test_one_wrong_character_is_noticed(position, character):
    text = key_text.make_key()
    changed = text[:position] + character + text[position + 1 :]
    assert key_text.is_well_formed(changed) == (changed == text)


@given(st.text())
def test_any_text_can_be_asked_about(text):
    assert not key_text.is_well_formed(text)
    assert not key_text.is_well_formed("sk-wai-" + text)


@pytest.mark.parametrize("odd", ["\ud800" * 56, "sk-wai-" + "²" * 49, "sk-wai-" + "\0" * 49, ""])
def test_odd_texts_are_refused_and_hashed_without_an_exception(odd):
    assert not key_text.is_well_formed(odd)
    assert len(key_text.digest(odd)) == 32


def test_digest_is_plain_sha_256():
    assert key_text.digest("abc").hex().startswith("ba7816bf8f01cfea")


def test_what_is_shown_does_not_give_the_key_away():
    text = key_text.make_key()
    assert key_text.display_prefix(text) == text[:12]
    assert key_text.last_four(text) == text[-4:]
