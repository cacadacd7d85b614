from datetime import timedelta

import pytest
from django.utils import timezone

from keys import key_text
from keys.access import key_index
from keys.access.key_index import KeyIndex, Refusal
from keys.models import Key, Membership, OwnerLimits, Revision, Team
from tests.keys.factories import issued, record, user

pytestmark = pytest.mark.django_db


@pytest.fixture
def index():
    index = KeyIndex()
    index.load("")
    return index


def found(index, text):
    return index.find(key_text.digest(text))


def test_an_issued_key_is_found_with_what_it_may():
    key, text = issued(allowed_models=["@cf/meta/*"], requests_per_minute=7)
    index = KeyIndex()
    index.load("")
    record = found(index, text)
    assert (record.id, record.owner_name, record.prefix) == (key.pk, "ada", text[:12])
    assert record.limits.requests_per_minute == 7
    assert record.endpoints is None


def test_finding_a_key_costs_no_query(index, django_assert_num_queries):
    _, text = issued()
    index.poll()
    with django_assert_num_queries(0):
        assert found(index, text).name == "laptop"
        assert index.is_live(found(index, text).id)


def test_a_key_issued_a_moment_ago_works_at_once_through_lookup(index):
    _, text = issued()
    assert found(index, text) is Refusal.UNKNOWN
    assert index.lookup(key_text.digest(text)).name == "laptop"
    assert found(index, text).name == "laptop"


def test_poll_without_a_change_is_three_queries(index, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        index.poll()


def test_poll_reads_only_what_changed(index, django_assert_max_num_queries):
    for number in range(5):
        issued(f"key {number}")
    index.poll()
    Key.objects.filter(name="key 3").update(requests_per_minute=9)
    with django_assert_max_num_queries(8):
        index.poll()
    assert len(index) == 5


def test_revocation_is_seen_by_the_next_poll(index):
    key, text = issued()
    index.poll()
    key.revoke()
    index.poll()
    assert found(index, text) is Refusal.REVOKED
    assert not index.is_live(key.pk)


def test_a_changed_limit_is_seen_by_the_next_poll(index):
    key, text = issued()
    index.poll()
    Key.objects.filter(pk=key.pk).update(concurrency=3)
    index.poll()
    assert found(index, text).limits.concurrency == 3


def test_a_deleted_key_is_forgotten(index):
    key, text = issued()
    index.poll()
    key.delete()
    index.poll()
    assert found(index, text) is Refusal.UNKNOWN
    assert not index.is_live(key.pk)


def test_keys_deleted_with_their_owner_are_forgotten(index):
    _, text = issued(owner=user("leaver"))
    index.poll()
    user("leaver").delete()
    index.poll()
    assert found(index, text) is Refusal.UNKNOWN


def test_a_key_deleted_while_another_is_issued_is_forgotten(index):
    key, text = issued("old")
    index.poll()
    key.delete()
    _, new_text = issued("new")
    index.poll()
    assert found(index, text) is Refusal.UNKNOWN
    assert found(index, new_text).name == "new"


def test_keys_of_a_deactivated_owner_stop_and_come_back_with_them(index):
    owner = user("away")
    key, text = issued(owner=owner)
    owner.is_active = False
    owner.save()
    index.poll()
    assert found(index, text) is Refusal.OWNER_INACTIVE
    assert not index.is_live(key.pk)
    owner.is_active = True
    owner.save()
    index.poll()
    assert found(index, text).name == "laptop"


def test_a_key_expires_without_a_poll():
    now = timezone.now().timestamp()
    index = KeyIndex(clock=lambda: now)
    key, text = issued(expires_at=timezone.now() + timedelta(minutes=1))
    index.load("")
    assert index.is_live(key.pk)
    now += 61
    assert found(index, text) is Refusal.EXPIRED
    assert not index.is_live(key.pk)


def test_both_secrets_work_during_the_overlap_and_one_after():
    now = timezone.now().timestamp()
    index = KeyIndex(clock=lambda: now)
    key, old = issued()
    new = key.rotate(timedelta(hours=1))
    index.load("")
    assert found(index, old) == found(index, new)
    now += 3700
    assert found(index, old) is Refusal.EXPIRED
    assert found(index, new).id == key.pk


def test_a_database_put_back_from_a_backup_is_read_anew(index):
    _, text = issued()
    index.poll()
    Key.objects.all().delete()
    Revision.objects.update(number=0)
    index.poll()
    assert found(index, text) is Refusal.UNKNOWN
    assert index.revision == 0


def test_the_static_key_has_a_row_of_its_own_without_the_secret(index):
    index.load("a-shared-static-key")
    assert found(index, "a-shared-static-key").name == "PROXY_API_KEY"
    key = Key.objects.get(is_static=True)
    assert not key.secrets.exists()
    assert "a-shared" not in str(vars(key))


def test_the_static_key_survives_polls_and_can_be_revoked(index):
    index.load("a-shared-static-key")
    issued()
    index.poll()
    assert found(index, "a-shared-static-key").name == "PROXY_API_KEY"
    Key.objects.get(is_static=True).revoke()
    index.poll()
    assert found(index, "a-shared-static-key") is Refusal.REVOKED


def test_a_static_key_that_was_changed_or_unset_opens_nothing(index):
    index.load("a-shared-static-key")
    index.load("another-static-key")
    assert found(index, "a-shared-static-key") is Refusal.UNKNOWN
    index.load("")
    assert found(index, "another-static-key") is Refusal.UNKNOWN


def test_the_setting_is_the_static_key_by_default(settings):
    settings.PROXY_API_KEY = "from-the-settings-1"
    index = KeyIndex()
    index.load()
    assert found(index, "from-the-settings-1").name == "PROXY_API_KEY"


def test_a_flood_of_made_up_keys_costs_few_queries(index, django_assert_max_num_queries):
    with django_assert_max_num_queries(key_index.LOOKUPS_PER_S * 2):
        for number in range(1_000):
            assert index.lookup(key_text.digest(str(number))) is Refusal.UNKNOWN


def test_one_unknown_key_again_and_again_is_asked_for_once(index, django_assert_num_queries):
    with django_assert_num_queries(1):
        for _ in range(50):
            index.lookup(key_text.digest("same"))


def test_what_is_remembered_of_unknown_keys_is_bounded(index, monkeypatch):
    monkeypatch.setattr(key_index, "LOOKUPS_PER_S", 10**9)
    monkeypatch.setattr(key_index, "REMEMBERED_UNKNOWN", 10)
    index._lookups_left = 10**9
    for number in range(50):
        index.lookup(key_text.digest(str(number)))
    assert len(index._unknown) <= 10


def test_model_patterns_match_whole_names_with_case():
    key = record(model_patterns=("@cf/meta/*", "gpt-4o"))
    assert key.allows_model("@cf/meta/llama-3")
    assert key.allows_model("gpt-4o")
    assert not key.allows_model("gpt-4o-mini")
    assert not key.allows_model("@CF/meta/llama-3")
    assert record().allows_model("anything")


def test_networks_hold_for_both_address_families(index):
    _, text = issued(allowed_networks=["10.0.0.0/8", "2001:db8::/32"])
    index.poll()
    key = found(index, text)
    assert key.allows_address("10.255.0.1")
    assert key.allows_address("::ffff:10.0.0.1")
    assert key.allows_address("2001:db8::1")
    assert not key.allows_address("11.0.0.1")
    assert not key.allows_address("")
    assert not key.allows_address("unix:")


def test_a_network_that_cannot_be_read_allows_nothing(index):
    key, text = issued()
    Key.objects.filter(pk=key.pk).update(allowed_networks=["not a network"])
    index.poll()
    assert not found(index, text).allows_address("10.0.0.1")


# --- limits of the owner ------------------------------------------------------------------------


def test_a_key_carries_its_owners_limits():
    key, text = issued(concurrency=3)
    OwnerLimits.objects.create(owner=key.owner, daily_budget_nano_usd=5)
    index = KeyIndex()
    index.load("")
    record = found(index, text)
    assert (record.owner_limits.daily_budget_nano_usd, record.limits.concurrency) == (5, 3)
    assert [scope.kind for scope in record.rate_scopes] == ["key"]
    assert [scope.kind for scope in record.budget_scopes] == ["owner"]


@pytest.mark.parametrize("how", ["save", "update", "delete", "delete many"])
def test_a_change_of_the_owners_limits_arrives_with_the_next_poll(how):
    key, text = issued()
    limits = OwnerLimits.objects.create(owner=key.owner, requests_per_minute=5)
    index = KeyIndex()
    index.load("")
    if how == "save":
        limits.requests_per_minute = 6
        limits.save()
    elif how == "update":
        OwnerLimits.objects.update(requests_per_minute=6)
    elif how == "delete":
        limits.delete()
    else:
        OwnerLimits.objects.all().delete()
    index.poll()
    record = found(index, text)
    assert record.owner_limits.requests_per_minute == (6 if how in ("save", "update") else None)


# --- team of the owner ----------------------------------------------------------------------------


def renamed(team):
    team.name = "physics"
    team.save()


CHANGES_OF_TEAMS = {
    "renamed": (renamed, "physics"),
    "renamed by a query": (lambda team: Team.objects.update(name="physics"), "physics"),
    "deleted": (lambda team: team.delete(), ""),
    "deleted by a query": (lambda team: Team.objects.all().delete(), ""),
    "left": (lambda team: team.memberships.get().delete(), ""),
    "left by a query": (lambda team: team.memberships.all().delete(), ""),
    "moved": (
        lambda team: Membership.objects.update(team=Team.objects.create(name="law")),
        "law",
    ),
}


@pytest.mark.parametrize(("change", "name"), CHANGES_OF_TEAMS.values(), ids=CHANGES_OF_TEAMS)
def test_a_change_of_the_owners_team_arrives_with_the_next_poll(index, change, name):
    key, text = issued()
    index.poll()
    assert (found(index, text).team_id, found(index, text).team_name) == (None, "")
    team = Team.objects.create(name="research")
    Membership.objects.create(user=key.owner, team=team)
    index.poll()
    assert (found(index, text).team_id, found(index, text).team_name) == (team.pk, "research")
    change(team)
    index.poll()
    assert found(index, text).team_name == name
    assert (found(index, text).team_id is None) == (name == "")


def renamed_by_save(owner):
    owner.username = "caroline"
    owner.save()


def renamed_by_update(owner):
    type(owner).objects.filter(pk=owner.pk).update(username="caroline")


@pytest.mark.parametrize("rename", [renamed_by_save, renamed_by_update])
def test_a_renamed_owner_is_seen_by_the_next_poll(index, rename):
    carol = user("carol")
    (_, first), (_, second) = issued("one", owner=carol), issued("two", owner=carol)
    _, other = issued("three")
    index.poll()
    rename(carol)
    index.poll()
    names = [found(index, text).owner_name for text in (first, second, other)]
    assert names == ["caroline", "caroline", "ada"]


def test_a_rename_that_could_not_be_read_is_read_later(index, monkeypatch):
    carol = user("carol")
    _, text = issued(owner=carol)
    index.poll()
    renamed_by_save(carol)
    with monkeypatch.context() as broken:
        broken.setattr(key_index, "read_records", lambda ids, now: {}[None])
        with pytest.raises(KeyError):
            index.poll()
    index.poll()
    assert found(index, text).owner_name == "caroline"


def test_polls_ask_no_more_for_many_accounts(index, django_assert_max_num_queries):
    for number in range(50):
        user(f"member {number}")
    index.poll()
    with django_assert_max_num_queries(4):
        index.poll()
