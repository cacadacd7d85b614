"""All keys in memory, by the hash of their secret: who is calling is found without a query.

`load` reads all keys, `poll` those that changed (by revision, see `keys/models/revision.py`),
`lookup` looks for one unknown key at once. These three use the database: call them on a thread.
`find` and `is_live` are for the event loop. They take no lock, since every change is one assignment
to a dict.
"""

import threading
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.utils import Error

from keys import key_text
from keys.access.key_reading import STATIC_PREFIX, ensure_static_key, read_records
from keys.access.key_record import KeyRecord
from keys.models import Key, Revision
from storage.errors import DatabaseUnavailable
from storage.words import engine_words

# The same unknown key is looked up at most once in UNKNOWN_FOR_S, and all unknown keys together at
# most LOOKUPS_PER_S times a second, which bounds the queries that invented keys cost. A new key
# that is not looked up because of the bound works after the next `poll`.
UNKNOWN_FOR_S: Final = 2.0
LOOKUPS_PER_S: Final = 20
REMEMBERED_UNKNOWN: Final = 1000
# For so long after a failed look-up the next ones fail at once with its message: waiting requests
# must not each wait for an unreachable database.
REST_AFTER_FAILURE_S: Final = 1.0


class Refusal(Enum):
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    OWNER_INACTIVE = "owner inactive"


class _Secret(NamedTuple):
    digest: bytes
    expires_at: float | None
    record: KeyRecord


class KeyIndex:
    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._secrets: dict[bytes, _Secret] = {}
        self._records: dict[int, KeyRecord] = {}
        self._digests: dict[int, tuple[bytes, ...]] = {}
        # When the next raise of a limit ends, of the keys that have one.
        self._limits_until: dict[int, float] = {}
        self._inactive_owners: frozenset[int] = frozenset()
        # Hashes of what the records contain of their owners, which no revision counts.
        self._owners: dict[int, int] = {}
        self._static_digest: bytes | None = None
        self._revision = -1
        self._unknown: dict[bytes, float] = {}
        self._lookups_left = float(LOOKUPS_PER_S)
        self._lookups_counted_at = 0.0
        # Why memory may lack keys that are in force, set by the caller of `poll`; else empty.
        self.out_of_date = ""
        self._rest_until = 0.0
        self._failed_with = ""

    # --- on the event loop --------------------------------------------------------------------

    def find(self, digest: bytes) -> KeyRecord | Refusal:
        secret = self._secrets.get(digest)
        if secret is None or not key_text.same_digest(secret.digest, digest):
            return Refusal.UNKNOWN
        record = secret.record
        if record.revoked:
            return Refusal.REVOKED
        now = self._clock()
        if secret.expires_at is not None and secret.expires_at <= now:
            return Refusal.EXPIRED
        return self._refusal(record, now) or record

    def find_by_id(self, key_id: int) -> KeyRecord | Refusal:
        """For a key id that the gateway itself signed; a caller's secret goes to `find`."""
        record = self._records.get(key_id)
        if record is None:
            return Refusal.UNKNOWN
        return self._refusal(record, self._clock()) or record

    def is_static(self, digest: bytes) -> bool:
        """Whether it is the digest of PROXY_API_KEY: it has no form that a mistyped key would
        break, and is not in memory before the first `load`."""
        text = settings.PROXY_API_KEY
        return bool(text) and key_text.same_digest(key_text.digest(text), digest)

    def is_live(self, key_id: int) -> bool:
        """For streams in flight: false within seconds after the key was revoked or deleted, and
        once it has expired."""
        record = self._records.get(key_id)
        return record is not None and self._refusal(record, self._clock()) is None

    def _refusal(self, record: KeyRecord, now: float) -> Refusal | None:
        if record.revoked:
            return Refusal.REVOKED
        if record.expires_at is not None and record.expires_at <= now:
            return Refusal.EXPIRED
        if record.owner_id in self._inactive_owners:
            return Refusal.OWNER_INACTIVE
        return None

    def __len__(self) -> int:
        return len(self._records)

    @property
    def revision(self) -> int:
        return self._revision

    # --- on a thread --------------------------------------------------------------------------

    def load(self, static_key: str | None = None) -> None:
        """Read all keys. `static_key` is settings.PROXY_API_KEY unless a test passes another."""
        text = settings.PROXY_API_KEY if static_key is None else static_key
        if text:
            ensure_static_key()
        with self._lock:
            self._static_digest = key_text.digest(text) if text else None
            self._read_all()

    def poll(self) -> None:
        """Read what has changed since the last call: three small queries, usually."""
        with self._lock:
            owners = self._read_owners()
            self._catch_up()
            before = self._owners
            self._read_keys_of([each for each in owners if before.get(each) != owners[each]])
            self._owners = owners
            self._read_ended_raises()
            # A deleted key, or one deleted with its owner, leaves no row with a new revision.
            revision = self._revision
            if Key.objects.count() != len(self._records) and Revision.current() == revision:
                self._compare_ids()

    def lookup(self, digest: bytes) -> KeyRecord | Refusal:
        """Ask the database for a key that is not in memory: it may be seconds old. Raises
        DatabaseUnavailable when the database cannot be asked."""
        with self._lock:
            found = self.find(digest)
            if found is Refusal.UNKNOWN and self._may_look_up(digest):
                self._try_to_catch_up()
                found = self.find(digest)
                if found is Refusal.UNKNOWN:
                    self._remember_unknown(digest)
            return found

    def _try_to_catch_up(self) -> None:
        if time.monotonic() < self._rest_until:
            raise DatabaseUnavailable(self._failed_with)
        try:
            self._catch_up()
        except Error as error:
            self._failed_with = engine_words(error)
            self._rest_until = time.monotonic() + REST_AFTER_FAILURE_S
            raise DatabaseUnavailable(self._failed_with) from error

    def _catch_up(self) -> None:
        number = Revision.current()
        if number < self._revision:
            # The revision is lower than before: another database, or one restored from a backup.
            self._read_all()
        elif number > self._revision:
            changed = Key.objects.filter(revision__gt=self._revision)
            self._read(changed.values_list("pk", flat=True))
            # Changes committed after `number` was read are read once more by the next poll.
            self._revision = number

    def _read_all(self) -> None:
        number = Revision.current()
        # Before the records: a rename in between is then found as a change by the next poll.
        self._owners = self._read_owners()
        records = read_records(None, self._clock())
        self._forget(self._records.keys() - records.keys())
        self._put(records)
        self._revision = number

    def _compare_ids(self) -> None:
        ids = set(Key.objects.order_by().values_list("pk", flat=True))
        self._forget(self._records.keys() - ids)
        self._read(ids - self._records.keys())

    def _read(self, key_ids: Iterable[int]) -> None:
        ids = list(key_ids)
        for start in range(0, len(ids), 500):
            self._put(read_records(ids[start : start + 500], self._clock()))

    def _read_ended_raises(self) -> None:
        now = self._clock()
        ended = [pk for pk, until in self._limits_until.items() if until <= now]
        if ended:
            self._read(ended)

    def _forget(self, key_ids: Iterable[int]) -> None:
        for key_id in key_ids:
            for digest in self._digests.pop(key_id, ()):
                self._secrets.pop(digest, None)
            self._records.pop(key_id, None)
            self._limits_until.pop(key_id, None)

    def _put(self, records: dict[int, tuple[KeyRecord, list[tuple[bytes, float | None]]]]) -> None:
        for key_id, (record, secrets) in records.items():
            if record.prefix == STATIC_PREFIX and self._static_digest is not None:
                secrets = [*secrets, (self._static_digest, None)]
            before = self._digests.get(key_id, ())
            self._records[key_id] = record
            if record.raises:
                self._limits_until[key_id] = record.effective_until
            else:
                self._limits_until.pop(key_id, None)
            for digest, expires_at in secrets:
                self._secrets[digest] = _Secret(digest, expires_at, record)
            self._digests[key_id] = tuple(digest for digest, _ in secrets)
            for digest in before:
                if digest not in self._digests[key_id]:
                    self._secrets.pop(digest, None)

    def _read_owners(self) -> dict[int, int]:
        """Reads which accounts are active, and returns hashes that show whether an account's name
        or password has changed. Django's accounts have no revision, and may be changed by anything:
        the admin, a command, SQL."""
        owners: dict[int, int] = {}
        inactive = []
        users = get_user_model().objects.order_by()
        rows = users.values_list("pk", "username", "password", "is_active")
        for user_id, name, password, is_active in rows.iterator(2000):
            owners[user_id] = hash((name, password))
            if not is_active:
                inactive.append(user_id)
        self._inactive_owners = frozenset(inactive)
        return owners

    def _read_keys_of(self, owner_ids: list[int]) -> None:
        for start in range(0, len(owner_ids), 500):
            keys = Key.objects.filter(owner_id__in=owner_ids[start : start + 500])
            self._read(keys.order_by().values_list("pk", flat=True))

    def _may_look_up(self, digest: bytes) -> bool:
        if self.out_of_date:
            raise DatabaseUnavailable(self.out_of_date)
        now = time.monotonic()
        if now - self._unknown.get(digest, -UNKNOWN_FOR_S) < UNKNOWN_FOR_S:
            return False
        earned = (now - self._lookups_counted_at) * LOOKUPS_PER_S
        self._lookups_left = min(float(LOOKUPS_PER_S), self._lookups_left + earned)
        self._lookups_counted_at = now
        if self._lookups_left < 1:
            return False
        self._lookups_left -= 1
        return True

    def _remember_unknown(self, digest: bytes) -> None:
        if len(self._unknown) >= REMEMBERED_UNKNOWN:
            self._unknown.clear()
        self._unknown[digest] = time.monotonic()


index = KeyIndex()
