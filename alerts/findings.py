"""What a rule finds: one event of one holder in one window. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

INFO, WARNING, CRITICAL = "info", "warning", "critical"
SEVERITIES: Final = ((INFO, "information"), (WARNING, "warning"), (CRITICAL, "critical"))

# The word of a body → the words of a page.
EVENTS: Final = {
    "limit": "a limit is nearly or wholly used",
    "account_neurons": "the account's neurons of the day",
    "access_refused": "Cloudflare refuses the gateway",
    "ai_gateway_refused": "AI Gateway refuses requests",
    "model_retires": "a model in use will be retired",
    "model_gone": "a model in use is gone",
    "catalog_old": "the catalog is old",
    "ledger": "the ledger cannot write",
    "key_ends": "a key will expire",
    "key_habit": "a key spends far above its habit",
    "raise_asked": "a raise is asked for",
    "raise_answered": "a raise is granted or refused",
    "test": "a test",
}


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom an alert is about: `kind` is key, owner, team, model, account, gateway, …"""

    kind: str
    name: str
    id: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "id": self.id or None, "name": self.name}


@dataclass(frozen=True, slots=True)
class Finding:
    """One alert to be. It is told once for each `series` and `level`, and no more once a higher
    level of the series was told.

    `series` names event, holder and window, such as "limit:key:7:daily-usd:5:2026-11-26"; `level`
    is a step in it, such as 80. A state lasts: its alert is open until the rule finds it no more.
    `mail_to` are the owner's addresses, and `owner_path` the page that such a mail leads to.
    """

    event: str
    series: str
    text: str
    holder: Holder
    severity: str = WARNING
    level: int = 0
    figures: Mapping[str, Any] = field(default_factory=dict)
    is_state: bool = True
    admin_path: str = ""
    mail_to: tuple[str, ...] = ()
    owner_path: str = ""
