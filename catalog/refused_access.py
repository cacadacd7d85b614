"""The alert that Cloudflare refuses the gateway itself. Pure."""

from datetime import datetime

from alerts.findings import CRITICAL, Finding, Holder


def refused_access(status: int, code: int | None, now: datetime) -> Finding:
    """Once a day. Says nothing of Cloudflare's own words, which may hold what is secret."""
    with_code = "" if code is None else f", code {code}"
    return Finding(
        event="access_refused",
        series=f"access_refused:{now:%Y-%m-%d}",
        severity=CRITICAL,
        text=f"Cloudflare refuses this gateway's own access (HTTP {status}{with_code}): look at "
        "CLOUDFLARE_ACCOUNT_ID, CLOUDFLARE_API_TOKEN and CLOUDFLARE_AI_GATEWAY, and at what the "
        "token may do. Requests get 502 meanwhile.",
        holder=Holder("account", "the Cloudflare account"),
        figures={"status": status, "code": code},
    )
