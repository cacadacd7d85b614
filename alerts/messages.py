"""What is sent: the body that a webhook gets, the text of a mail. Pure.

Key and owner names come from people, and chat services read some texts as commands: a name must
neither call everybody in a channel nor look like a link.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from alerts.findings import EVENTS, Holder

LONGEST_TEXT: Final = 1000
LONGEST_SUBJECT: Final = 120
_CALLS_EVERYBODY: Final = re.compile(r"@(?=(everyone|here|channel|all)\b)", re.IGNORECASE)
_ZERO_WIDTH_SPACE: Final = "\u200b"
_UNREADABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Message:
    """One alert as it is told. `id` is the same each time that it is tried."""

    id: uuid.UUID
    event: str
    severity: str
    text: str
    holder: Holder
    opened_at: datetime
    url: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def plain(text: str) -> str:
    """One line, within LONGEST_TEXT, in which no chat service finds a command."""
    text = _UNREADABLE.sub(" ", text).replace("<", "‹").replace(">", "›")
    text = _CALLS_EVERYBODY.sub("@" + _ZERO_WIDTH_SPACE, text).strip()
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def webhook_body(message: Message) -> dict[str, Any]:
    """Slack and Mattermost show `text`, Discord shows `content`; all leave the rest alone."""
    words = f"{plain(message.text)}\n{message.url}"
    return {
        "id": str(message.id),
        "event": message.event,
        "severity": message.severity,
        "text": words,
        "content": words,
        # Discord: whatever the text, nobody is called.
        "allowed_mentions": {"parse": []},
        "holder": message.holder.as_json(),
        "figures": dict(message.figures),
        "opened_at": message.opened_at.isoformat(),
        "url": message.url,
    }


def mail_subject(message: Message) -> str:
    subject = f"[Workers AI Gateway] {message.severity}: {plain(message.text)}"
    return subject if len(subject) <= LONGEST_SUBJECT else subject[: LONGEST_SUBJECT - 1] + "…"


def mail_text(message: Message) -> str:
    figures = [f"{name.replace('_', ' ')}: {value}" for name, value in message.figures.items()]
    told = f"{EVENTS[message.event]}, {message.opened_at:%Y-%m-%d %H:%M} UTC"
    return "\n\n".join(
        part for part in (plain(message.text), "\n".join(figures), told, message.url) if part
    )
