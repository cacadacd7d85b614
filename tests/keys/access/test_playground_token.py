"""The playground's token opens one key of one user for a few minutes, while the key does."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from keys import errors
from keys.access import playground_token
from keys.access.authentication import MAX_KEY_LENGTH, key_for
from keys.access.key_index import KeyIndex
from keys.access.playground_token import LIFETIME_S, PREFIX, make, read, session_mark
from keys.access.signed_out import SignedOut
from keys.models import EndedSession
from tests.keys.factories import issued, user


def test_a_token_says_which_key_whose_and_until_when() -> None:
    grant = read(make(7, 3, 1_000.9, "s"))
    assert grant is not None
    assert (grant.key_id, grant.user_id, grant.expires_at) == (7, 3, 1_000 + LIFETIME_S)
    assert len(make(2**62, 2**62, 1e10, "s" * 40)) < 160 < MAX_KEY_LENGTH


@pytest.mark.parametrize(
    "text",
    [
        PREFIX,
        PREFIX + "1.1.99999999999",
        PREFIX + "1.1.99999999999.",
        PREFIX + "1.1.99999999999.AAAA",
        PREFIX + "é.é",
        PREFIX + "\udcff." + "A" * 43,
        PREFIX + "1" * 500,
        make(1, 1, 0, "s")[:-1],
        make(1, 1, 0, "s") + "=",
        make(1, 1, 0, "s").replace(f"{PREFIX}1.", f"{PREFIX}2."),
        make(1, 1, 0, "s").replace("play-", "sk-"),
    ],
)
def test_what_nobody_here_signed_grants_nothing(text: str) -> None:
    if text.startswith(PREFIX):
        assert read(text) is None
    with pytest.raises(errors.MalformedKey) as caught:
        key_for(text, KeyIndex())
    assert text[len(PREFIX) + 2 :] not in str(caught.value) or text == PREFIX


def test_another_secret_signs_other_tokens(settings: Any) -> None:
    token = make(1, 1, 0, "s")
    settings.SECRET_KEY = "another-secret-of-the-site-" + "x" * 30
    assert read(token) is None


@pytest.fixture
def index(db: None) -> KeyIndex:
    index = KeyIndex()
    index.load("")
    return index


def test_it_opens_the_key_of_its_user(index: KeyIndex) -> None:
    key, _ = issued()
    index.poll()
    token = make(key.pk, key.owner.pk, time.time(), "s")
    assert key_for(token, index).id == key.pk
    with pytest.raises(errors.UnknownKey):
        key_for(make(key.pk, key.owner.pk + 1, time.time(), "s"), index)


def test_it_ends_by_itself(index: KeyIndex) -> None:
    key, _ = issued()
    index.poll()
    with pytest.raises(errors.PlaygroundTokenExpired):
        key_for(make(key.pk, key.owner.pk, time.time() - LIFETIME_S - 1, "s"), index)


def test_it_ends_with_its_key(index: KeyIndex) -> None:
    key, _ = issued()
    index.poll()
    token = make(key.pk, key.owner.pk, time.time(), "s")
    key.revoke()
    index.poll()
    with pytest.raises(errors.RevokedKey):
        key_for(token, index)


def test_it_ends_with_its_user_and_does_not_go_over_to_another(index: KeyIndex) -> None:
    key, _ = issued()
    index.poll()
    token = make(key.pk, key.owner.pk, time.time(), "s")
    key.owner = user("bob")
    key.save()
    index.poll()
    with pytest.raises(errors.UnknownKey):
        key_for(token, index)
    bob = user("bob")
    bob.is_active = False
    bob.save()
    index.poll()
    with pytest.raises(errors.OwnerInactive):
        key_for(make(key.pk, bob.pk, time.time(), "s"), index)


def test_a_key_that_memory_lacks_is_looked_up_once(index: KeyIndex) -> None:
    key, _ = issued()
    token = make(key.pk, key.owner.pk, time.time(), "s")
    with pytest.raises(errors.KeyUnknownSoFar) as unknown:
        key_for(token, index)
    index.lookup(unknown.value.digest)
    assert key_for(token, index).id == key.pk


def test_the_shared_key_is_nobodys(index: KeyIndex) -> None:
    index.load("a-shared-key-of-the-team")
    [static] = index._records.values()
    assert static.owner_id is None
    with pytest.raises(errors.UnknownKey):
        key_for(make(static.id, 1, time.time(), "s"), index)


def test_it_ends_when_its_session_does_and_others_go_on(
    index: KeyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = SignedOut()
    monkeypatch.setattr("keys.access.authentication.signed_out", ended)
    key, _ = issued()
    index.poll()
    first, second = (make(key.pk, key.owner.pk, time.time(), session) for session in "ab")
    SignedOut().add("a")  # in another worker
    assert key_for(first, index).id == key.pk
    ended.poll()
    with pytest.raises(errors.PlaygroundTokenExpired):
        key_for(first, index)
    assert key_for(second, index).id == key.pk


CHANGES = {
    "a new password": lambda owner: owner.set_password("another one"),
    "no password": lambda owner: owner.set_unusable_password(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_it_ends_with_the_password_whoever_changes_it_and_wherever(
    index: KeyIndex, change: Callable[[Any], None]
) -> None:
    key, _ = issued()
    owner = key.owner
    owner.set_password("the first one")
    owner.save()
    index.poll()
    token = make(key.pk, owner.pk, time.time(), "s", owner.password)
    assert key_for(token, index).id == key.pk
    change(owner)
    owner.save()
    index.poll()
    with pytest.raises(errors.PlaygroundTokenExpired):
        key_for(token, index)
    assert key_for(make(key.pk, owner.pk, time.time(), "s", owner.password), index).id == key.pk


def test_a_token_does_not_tell_the_password_s_hash() -> None:
    assert "pbkdf2" not in make(1, 1, 0, "s", "pbkdf2_sha256$1$salt$hash")


@pytest.mark.parametrize("parts", ["1.1.99999999999.AAAA", "1.1.99999999999.A.B.C", "1", "", "a.b"])
def test_what_is_signed_and_has_other_parts_grants_nothing(parts: str) -> None:
    assert read(f"{PREFIX}{parts}.{playground_token._signature(parts)}") is None


def test_marks_of_sessions_stay_as_long_as_tokens_live(db: None) -> None:
    ended = SignedOut()
    ended.add("long ago")
    EndedSession.objects.update(ended_at=timezone.now() - timedelta(seconds=LIFETIME_S + 1))
    ended.add("now")
    assert EndedSession.objects.get().mark == session_mark("now")
    assert "now" not in session_mark("now")


def test_the_prefix_is_no_keys(db: None) -> None:
    assert not issued()[1].startswith(playground_token.PREFIX)
