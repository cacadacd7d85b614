"""Rows of the request log: made to fit their columns, inserted in one statement, added to totals.

Called by `group.py` on the ledger's thread, in its transaction.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter, gt, itemgetter
from typing import Any, Final

from keys.ledger import account_totals
from keys.ledger.account_totals import AccountPlace, AccountSums
from keys.ledger.captured import CapturedTexts
from keys.ledger.engine import engine
from keys.ledger.team_totals import TeamNames, TeamPlace, TeamSums
from keys.ledger.totals import SUMMED, Names, Place, Sums
from keys.ledger.transaction import GroupTransaction, Insert
from keys.ledger.windows import utc_day
from keys.models import CapturedText, RequestLog


@dataclass(slots=True, kw_only=True)
class LedgerRow:
    """One row of `RequestLog`, field by field. Texts are cut to their columns by the writer."""

    started_at: float
    request_id: str
    endpoint: str
    status: int
    end_reason: str
    duration_ms: int
    key_id: int | None = None
    key_name: str = ""
    key_prefix: str = ""
    owner_id: int | None = None
    owner_name: str = ""
    requested_model: str = ""
    model: str = ""
    stream: bool = False
    error_code: str = ""
    error_message: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    images: int | None = None
    audio_ms: int | None = None
    cost_nano_usd: int | None = None
    neurons_micro: int | None = None
    neurons_source: str | None = "none"
    neurons_by_price_micro: int | None = None
    usage_source: str = "none"
    price: str | None = None
    ttft_ms: int | None = None
    attempts: int = 0
    client_ip: str = ""
    user_agent: str = ""
    user: str = ""
    team_id: int | None = None
    team_name: str = ""
    session: str = ""
    agent: str = ""
    account: str = ""
    waited_ms: int | None = None
    # Stored in a table of its own, and never part of a repr.
    captured: CapturedTexts | None = field(default=None, repr=False)


_COLUMNS: Final[list[Any]] = [
    field for field in RequestLog._meta.concrete_fields if not field.primary_key
]
_read_row = attrgetter(*(field.attname for field in _COLUMNS))
# Less than 64 bits can hold, so that sums of absurd values still fit.
_HIGHEST: Final = {
    "BigIntegerField": 10**15,
    "IntegerField": 2**31 - 1,
    "SmallIntegerField": 2**15 - 1,
}


_INTO_LOG: Final = Insert(RequestLog._meta.db_table, tuple(field.column for field in _COLUMNS))


def insert(transaction: GroupTransaction, values: Sequence[tuple[Any, ...]]) -> None:
    if values:
        transaction.insert(_INTO_LOG, values)


# The columns by type: their position in the row and their bound. Values are made to fit whatever
# upstream or a caller sent, since a row must not be lost because a text is long or a count absurd.
# Nearly every value fits already, and that is found out without a function call.
_NUMBERS: Final = [
    (place, _HIGHEST[field.get_internal_type()])
    for place, field in enumerate(_COLUMNS)
    if field.get_internal_type() in _HIGHEST
]
_FLAGS: Final = [
    place for place, field in enumerate(_COLUMNS) if field.get_internal_type() == "BooleanField"
]
_MOMENTS: Final = [
    place for place, field in enumerate(_COLUMNS) if field.get_internal_type() == "DateTimeField"
]
_TEXTS: Final = [
    (place, field.max_length or sys.maxsize, field.null)
    for place, field in enumerate(_COLUMNS)
    if field.get_internal_type() in ("CharField", "TextField")
]
_read_texts = itemgetter(*(place for place, _, _ in _TEXTS))
_LONGEST: Final = [length for _, length, _ in _TEXTS]
assert len(_NUMBERS) + len(_FLAGS) + len(_MOMENTS) + len(_TEXTS) == len(_COLUMNS)


def values_of(row: LedgerRow) -> tuple[Any, ...]:
    values = list(_read_row(row))
    for place, highest in _NUMBERS:
        value = values[place]
        if value is not None and not (type(value) is int and 0 <= value <= highest):
            values[place] = min(max(int(value), 0), highest)
    if not _all_fit(_read_texts(values)):
        for place, length, may_be_null in _TEXTS:
            if values[place] is not None or not may_be_null:
                values[place] = fit_text(values[place], length)
    for place in _FLAGS:
        values[place] = bool(values[place])
    for place in _MOMENTS:
        values[place] = engine().moment_at(values[place])
    return tuple(values)


def _all_fit(texts: tuple[Any, ...]) -> bool:
    """Whether `fit_text` would change none of them, found out for all at once."""
    try:
        joined = "".join(texts)
    except TypeError:  # a NULL, or no text
        return False
    return joined.isascii() and "\0" not in joined and not any(map(gt, map(len, texts), _LONGEST))


def fit_text(value: Any, length: int) -> str:
    """The text as both engines can store it."""
    text = "" if value is None else str(value)
    # PostgreSQL rejects NUL, and both engines reject lone surrogates.
    text = text.replace("\x00", "")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text[:length]


_PLACES: Final = {field.attname: place for place, field in enumerate(_COLUMNS)}
_read_summed = itemgetter(*(_PLACES[name] for name in SUMMED))
_read_totalled = itemgetter(
    *(
        _PLACES[name]
        for name in (
            *("key_id", "owner_id", "model", "endpoint", "key_name", "owner_name"),
            *("status", "ttft_ms", "duration_ms", "team_id", "user", "account", "waited_ms"),
        )
    )
)
_TEAM_NAME: Final = _PLACES["team_name"]


def add_to(
    sums: Sums,
    of_teams: TeamSums,
    of_accounts: AccountSums,
    row: LedgerRow,
    values: tuple[Any, ...],
) -> None:
    """Adds the values as they are stored, so that totals agree with the rows."""
    key_id, owner_id, model, endpoint, key_name, owner_name, status, *rest = _read_totalled(values)
    ttft_ms, duration_ms, team_id, user, account, waited_ms = rest
    day, summed = utc_day(row.started_at), _read_summed(values)
    sums.add_row(
        Place(day, key_id or 0, owner_id or 0, model, endpoint),
        Names(key_name, owner_name),
        status=status,
        summed=summed,
        ttft_ms=ttft_ms,
        duration_ms=duration_ms,
    )
    if team_id or user:
        of_teams.add_row(
            TeamPlace(day, team_id or 0, key_id or 0, owner_id or 0, user, model),
            TeamNames(values[_TEAM_NAME], key_name, owner_name),
            status,
            summed,
        )
    if account or waited_ms:
        place = AccountPlace(day, account, model)
        account_totals.add_row(of_accounts, place, status, summed, waited_ms)


def store_captured(rows: Iterable[LedgerRow], transaction: GroupTransaction) -> None:
    captured = [row for row in rows if row.captured is not None]
    if captured:
        transaction.flush()
        CapturedText.objects.bulk_create(map(_captured_text, captured))


def _captured_text(row: LedgerRow) -> CapturedText:
    assert row.captured is not None
    return CapturedText(
        started_at=datetime.fromtimestamp(row.started_at, UTC),
        request_id=fit_text(row.request_id, 128),
        key_id=row.key_id or 0,
        asked=fit_text(row.captured.asked, sys.maxsize),
        asked_characters=row.captured.asked_characters,
        answered=fit_text(row.captured.answered, sys.maxsize),
        answered_characters=row.captured.answered_characters,
    )
