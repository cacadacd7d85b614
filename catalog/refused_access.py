"""The alert that Cloudflare refuses the gateway itself. Pure."""

from datetime import datetime

from alerts.findings import CRITICAL, Finding, Holder


def refused_access(status: int, code: int | None, now: datetime, account: str = "") -> Finding:
    """Once a day, of each account where there are several. Says nothing of Cloudflare's own words,
    which may hold what is secret."""
    with_code = "" if code is None else f", code {code}"
    if account:
        return Finding(
            event="access_refused",
            series=f"access_refused:{account}:{now:%Y-%m-%d}",
            severity=CRITICAL,
            text=f"Cloudflare refuses this gateway's access to the account {account} (HTTP "
            f"{status}{with_code}): look at its id and token in the settings, at "
            "CLOUDFLARE_AI_GATEWAY, and at what the token may do. Other accounts are asked "
            "meanwhile.",
            holder=Holder("account", account),
            figures={"status": status, "code": code, "account": account},
        )
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


def refused_by_ai_gateway(status: int, *, is_policy: bool, now: datetime) -> Finding:
    """Once a day and cause: a policy or a spend limit may refuse some requests and let others
    through, and would otherwise be over and told anew all day long."""
    told = (
        (
            f"A policy of the account's AI Gateway denies requests (HTTP {status}). A gateway with "
            "one policy denies all that match none: look at Policies in Cloudflare's dashboard and "
            "at CLOUDFLARE_AI_GATEWAY_METADATA, by which they tell callers apart. These requests "
            "get 403 meanwhile."
        )
        if is_policy
        else (
            f"A spend limit of the account's AI Gateway is reached (HTTP {status}): requests that "
            "count against it get 429 until its window ends, or somebody raises it in Cloudflare's "
            "dashboard."
        )
    )
    return Finding(
        event="ai_gateway_refused",
        series=f"ai_gateway_refused:{'policy' if is_policy else 'spend'}:{now:%Y-%m-%d}",
        severity=CRITICAL,
        text=told,
        holder=Holder("account", "the account's AI Gateway"),
        figures={"status": status, "cause": "policy" if is_policy else "spend limit"},
    )
