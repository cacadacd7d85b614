from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from keys import key_text
from keys.access.key_reading import ensure_static_key
from keys.errors import CannotChangeKey
from keys.models import Key, KeySecret, Revision
from tests.keys.factories import issued, user

pytestmark = pytest.mark.django_db


def live_secrets(key, at=None):
    at = at or timezone.now()
    return [s for s in key.secrets.all() if s.expires_at is None or s.expires_at > at]


def test_the_database_never_holds_the_key():
    key, text = issued()
    secret = key.secrets.get()
    stored = [str(value) for value in (*vars(key).values(), *vars(secret).values())]
    assert not any(text in value or text[12:-4] in value for value in stored)
    assert secret.sha256 == key_text.digest(text).hex()


def test_issuing_with_a_bad_value_makes_nothing():
    with pytest.raises(ValidationError, match="not a network"):
        issued(allowed_networks=["10.0.0.1/8"])
    assert not Key.objects.exists()


@pytest.mark.parametrize("value", ["chat", [""], [1], {"chat": 1}, ["chats"]])
def test_allowed_endpoints_take_a_list_of_known_names_only(value):
    with pytest.raises(ValidationError):
        issued(allowed_endpoints=value)


@pytest.mark.parametrize("limit", ["requests_per_minute", "total_budget_nano_usd"])
@pytest.mark.parametrize("value", [0, -1])
def test_the_database_takes_no_limit_of_zero_or_below(limit, value):
    key, _ = issued()
    with pytest.raises(IntegrityError), transaction.atomic():
        Key.objects.filter(pk=key.pk).update(**{limit: value})


def test_every_kind_of_change_takes_a_new_revision():
    key, _ = issued()
    seen = [Revision.current()]

    def moved():
        seen.append(Revision.current())
        key.refresh_from_db()
        return seen[-1] > seen[-2] and key.revision == seen[-1]

    key.save()
    assert moved()
    key.save(update_fields=["name"])
    assert moved()
    Key.objects.filter(pk=key.pk).update(notes="moved")
    assert moved()
    Key.objects.bulk_update([key], ["notes"])
    assert moved()
    key.rotate()
    assert moved()
    key.revoke()
    assert moved()


def test_rotation_lets_both_secrets_work_until_the_overlap_ends():
    key, _ = issued()
    key.rotate(timedelta(hours=24))
    assert len(live_secrets(key)) == 2
    assert len(live_secrets(key, timezone.now() + timedelta(hours=25))) == 1


def test_rotation_without_overlap_ends_every_older_secret_at_once():
    key, _ = issued()
    key.rotate(timedelta(hours=24))
    text = key.rotate(timedelta(0))
    [secret] = live_secrets(key)
    assert secret.sha256 == key_text.digest(text).hex()


def test_rotation_never_gives_an_old_secret_more_time_than_it_had():
    key, _ = issued()
    key.rotate(timedelta(hours=1))
    key.rotate(timedelta(hours=24))
    first = key.secrets.order_by("pk")[0]
    assert first.expires_at < timezone.now() + timedelta(hours=2)


def test_a_revoked_key_cannot_be_rotated_back_to_life():
    key, _ = issued()
    stale = Key.objects.get(pk=key.pk)
    key.revoke()
    with pytest.raises(CannotChangeKey):
        stale.rotate()
    assert key.secrets.count() == 1


def test_the_static_key_is_not_rotated():
    with pytest.raises(CannotChangeKey, match="PROXY_API_KEY"):
        ensure_static_key().rotate()


def test_revoking_twice_keeps_the_first_moment():
    key, _ = issued()
    assert key.revoke()
    first = Key.objects.get(pk=key.pk).revoked_at
    assert not Key.objects.get(pk=key.pk).revoke()
    assert Key.objects.get(pk=key.pk).revoked_at == first


def test_a_key_shows_the_prefix_of_its_newest_secret():
    key, _ = issued()
    text = key.rotate(timedelta(hours=1))
    assert (key.prefix, key.last_four) == (text[:12], text[-4:])


def test_state_says_what_keeps_a_key_from_working():
    key, _ = issued()
    assert key.state() == "active"
    key.expires_at = timezone.now() - timedelta(seconds=1)
    assert key.state() == "expired"
    key.expires_at = None
    key.owner.is_active = False
    assert key.state() == "owner inactive"
    key.revoke()
    assert key.state() == "revoked"


def test_a_key_goes_with_its_owner():
    owner = user("leaver")
    issued(owner=owner)
    owner.delete()
    assert not Key.objects.exists() and not KeySecret.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_rotations_at_once_leave_one_secret_without_an_end(run_on_threads):
    key, _ = issued()
    run_on_threads(lambda _: Key.objects.get(pk=key.pk).rotate(timedelta(hours=1)), 5)
    assert key.secrets.count() == 6
    assert key.secrets.filter(expires_at=None).count() == 1


@pytest.mark.django_db(transaction=True)
def test_workers_that_start_together_make_one_static_key(run_on_threads):
    keys = run_on_threads(lambda _: ensure_static_key().pk, 5)
    assert len(set(keys)) == 1


@pytest.mark.django_db(transaction=True)
def test_changes_at_once_get_a_revision_each(run_on_threads):
    numbers = run_on_threads(lambda number: issued(f"key {number}")[0].revision, 5)
    assert len(set(numbers)) == 5
