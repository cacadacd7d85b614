"""A raise that is asked for, and the answer. Call both in the transaction of what they tell."""

from collections.abc import Iterable
from typing import Any

from alerts import store
from alerts.findings import INFO, Finding, Holder
from keys.alerting.owners import addresses
from keys.alerting.pages import own_home
from keys.models.raise_request import alert_series


def tell_asked(
    asked_id: int,
    account: Any,
    *,
    wanted: str,
    why: str,
    lead_ids: Iterable[int] = (),
    admin_path: str = "",
    lead_path: str = "",
) -> None:
    """To operators, and by mail to the leads of the account's team. Open until it is answered.
    `wanted` is what is asked for, such as "$20 more of the daily budget of the key laptop until
    2026-12-04"; the paths are where it is answered."""
    name = account.get_username()
    mail = addresses(lead_ids)
    store.tell(
        Finding(
            event="raise_asked",
            series=alert_series(asked_id),
            severity=INFO,
            text=f"{name} asks for {wanted}: {why}",
            holder=Holder("owner", name, account.pk),
            figures={"wanted": wanted, "why": why},
            admin_path=admin_path,
            owner_path=lead_path,
            mail_to=tuple(address for each in mail.values() for address in each),
        )
    )


def tell_answered(
    asked_id: int, account: Any, *, wanted: str, is_granted: bool, by: str, note: str = ""
) -> None:
    """To operators, and by mail to who asked."""
    store.resolve(alert_series(asked_id))
    name = account.get_username()
    answer = "granted" if is_granted else "refused"
    said = f": {note}" if note else ""
    store.tell(
        Finding(
            event="raise_answered",
            series=f"raise_answered:{asked_id}",
            severity=INFO,
            text=f"{by} has {answer} what {name} asked for, {wanted}{said}.",
            holder=Holder("owner", name, account.pk),
            figures={"wanted": wanted, "answer": answer},
            is_state=False,
            owner_path=own_home(),
            mail_to=addresses([account.pk]).get(account.pk, ()),
        )
    )


def withdrawn(asked_id: int) -> None:
    """Nobody need answer it any more."""
    store.resolve(alert_series(asked_id))
