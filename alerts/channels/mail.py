"""One mail to one address through the server of EMAIL_URL, with an end in time.

smtplib waits a while for each line and has no end for all of them, so a mail has a thread of its
own, whose connection is cut when the time is over.
"""

import asyncio
import re
import smtplib
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from alerts.channels.outcome import Outcome
from alerts.messages import Message, mail_subject, mail_text

TOTAL_S: Final = 20.0
LONGEST_QUOTE: Final = 150


async def send(address: str, message: Message) -> Outcome:
    """Raises nothing."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Outcome] = loop.create_future()
    connection: Any = get_connection(fail_silently=False)

    def tell(outcome: Outcome) -> None:
        if not ended.done():
            ended.set_result(outcome)

    def work() -> None:
        outcome = _sent(connection, address, message)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, outcome)

    try:
        threading.Thread(target=work, name="alert-mail", daemon=True).start()
        async with asyncio.timeout(TOTAL_S):
            return await ended
    except TimeoutError:
        _cut(connection)
        return Outcome(False, f"the mail server did not take it within {TOTAL_S:g} s")
    except RuntimeError:
        return Outcome(False, "no thread can be had")


def _sent(connection: Any, address: str, message: Message) -> Outcome:
    mail = EmailMessage(
        mail_subject(message),
        mail_text(message),
        settings.DEFAULT_FROM_EMAIL,
        [address],
        headers={
            # The same each time, so that a mailbox shows a repeated one once.
            "Message-ID": f"<{message.id}@{_domain(settings.DEFAULT_FROM_EMAIL)}>",
            "Auto-Submitted": "auto-generated",
        },
        connection=connection,
    )
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()), (0, b""))
        return Outcome(False, _quoted(code, said))
    except smtplib.SMTPResponseException as error:
        return Outcome(False, _quoted(error.smtp_code, error.smtp_error))
    except smtplib.SMTPException as error:
        return Outcome(False, f"the mail server failed ({type(error).__name__})")
    except ssl.SSLError as error:
        return Outcome(False, f"TLS with the mail server failed: {error.reason or 'unknown'}")
    except TimeoutError:
        return Outcome(False, f"no answer of the mail server within {settings.EMAIL_TIMEOUT:g} s")
    except OSError as error:
        return Outcome(False, f"the mail server cannot be reached ({error.strerror or 'lost'})")
    except Exception as error:
        return Outcome(False, f"it cannot be sent ({type(error).__name__})")
    return Outcome(True, "taken by the mail server")


def _quoted(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    for secret in (settings.EMAIL_HOST_PASSWORD, settings.EMAIL_HOST_USER):
        if secret:
            text = text.replace(secret, "[hidden]")
    text = "".join(c for c in " ".join(text.split()) if c.isprintable())[:LONGEST_QUOTE]
    return f"the mail server answered {code}: {text}"


def _cut(connection: Any) -> None:
    sock = getattr(getattr(connection, "connection", None), "sock", None)
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _domain(sender: str) -> str:
    found = re.search(r"@([A-Za-z0-9.-]+)", sender)
    return found[1] if found else "gateway.invalid"
