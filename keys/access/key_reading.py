"""Reads keys from the database as records, any number in a few queries. Call it on a thread."""

from collections.abc import Iterable, Sequence
from typing import Final

from keys.access.key_record import KeyRecord
from keys.access.limit_reading import read_limits
from keys.access.playground_token import password_mark
from keys.access.reserve import limit_of_others
from keys.addresses import Network, network
from keys.models import LIMITS, STATIC_KEY_NAME, Key, KeySecret
from keys.scopes import NO_LIMITS, Limits

STATIC_PREFIX: Final = "static"


def ensure_static_key() -> Key:
    """The row under which use of PROXY_API_KEY is logged. It does not contain the key itself.

    Workers that start together may all try to make it: a constraint allows one row.
    """
    key, _ = Key.objects.get_or_create(
        is_static=True,
        defaults={"name": STATIC_KEY_NAME, "notes": "The shared key from the settings."},
    )
    return key


def read_records(
    ids: list[int] | None, now: float
) -> dict[int, tuple[KeyRecord, list[tuple[bytes, float | None]]]]:
    """Reads secrets first: a key that is issued in between has none yet, and is read again by the
    next poll, since its revision is newer than the one that was read before. Raises are those in
    force at `now`, in epoch seconds."""
    keys, all_secrets = Key.objects.order_by(), KeySecret.objects.order_by("pk")
    if ids is not None:
        keys, all_secrets = keys.filter(pk__in=ids), all_secrets.filter(key_id__in=ids)

    secrets: dict[int, list[tuple[bytes, float | None]]] = {}
    prefixes: dict[int, str] = {}
    rows = all_secrets.values_list("key_id", "sha256", "prefix", "expires_at")
    for key_id, sha256, prefix, expires_at in rows.iterator(2000):
        end = None if expires_at is None else expires_at.timestamp()
        secrets.setdefault(key_id, []).append((bytes.fromhex(sha256), end))
        prefixes[key_id] = prefix

    records = {}
    columns = (
        *("pk", "name", "is_static", "owner_id", "owner__username", "created_at", "expires_at"),
        *("revoked_at", "allowed_models", "allowed_endpoints", "allowed_networks"),
        *("capture_text", "owner__password", "queue_weight", "uses_reserve"),
        *("owner__team_membership__team_id", "owner__team_membership__team__name"),
        *("owner__team_membership__team__uses_reserve", *LIMITS),
        *(f"owner__key_limits__{limit}" for limit in LIMITS),
    )
    read, of_others = read_limits(ids, now), limit_of_others()
    for row in keys.values_list(*columns).iterator(2000):
        (pk, name, is_static, owner_id, owner_name, created_at, expires_at) = row[:7]
        (revoked_at, models, endpoints, networks, captures, password, weight, *rest) = row[7:]
        (uses_reserve, team_id, team_name, team_uses_reserve, *limits) = rest
        more_limits, raises = read.of(pk, owner_id, team_id)
        if of_others is not None and not (uses_reserve or team_uses_reserve):
            more_limits += (of_others,)
        record = KeyRecord(
            id=pk,
            name=name,
            prefix=STATIC_PREFIX if is_static else prefixes.get(pk, ""),
            owner_id=owner_id,
            owner_name=owner_name or "",
            created_at=created_at.timestamp(),
            expires_at=None if expires_at is None else expires_at.timestamp(),
            revoked=revoked_at is not None,
            model_patterns=tuple(models) or None,
            endpoints=tuple(endpoints) or None,
            networks=_networks(networks) if networks else None,
            captures=captures,
            queue_weight=weight,
            limits=_limits(limits[: len(LIMITS)]),
            owner_limits=_limits(limits[len(LIMITS) :]),
            owner_mark="" if owner_id is None else password_mark(owner_id, password),
            team_id=team_id,
            team_name=team_name or "",
            more_limits=more_limits,
            raises=raises,
            read_at=now,
        )
        records[pk] = (record, secrets.get(pk, []))
    return records


def _limits(values: Sequence[int | None]) -> Limits:
    return Limits(*values) if any(value is not None for value in values) else NO_LIMITS


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Text that is not a network is left out and allows no address: invalid must not mean open."""
    networks = []
    for text in texts:
        try:
            networks.append(network(text))
        except ValueError:
            continue
    return tuple(networks)
