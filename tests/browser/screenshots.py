"""Pictures of every page, wide and narrow, light and dark: `make screenshots`.

They are taken of a gateway with a year's use in it, in front of the simulator.
"""

import argparse
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tests.environment  # noqa: F401  before Django reads its settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")

import django

django.setup()

# Models can be imported only now.
from django.contrib.auth import get_user_model  # noqa: E402
from django.utils import timezone  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from alerts import store  # noqa: E402
from alerts.findings import CRITICAL, INFO, WARNING, Finding, Holder  # noqa: E402
from alerts.models import Delivery  # noqa: E402
from keys import raise_requests  # noqa: E402
from keys.held_limits import HeldLimit, Subject  # noqa: E402
from keys.models import CapturedText, DayTotal, Key, RequestLog, Team, TeamTotal  # noqa: E402
from tests.browser.conftest import ARGUMENTS, PASSWORD  # noqa: E402
from tests.gateway import ROOT, GatewayProcess, running_gateway  # noqa: E402
from tests.needs import program  # noqa: E402
from workers_ai.simulator.serve import running_simulator  # noqa: E402

WIDTHS = {"wide": 1440, "narrow": 390}
SCHEMES: tuple[Any, ...] = ("light", "dark")
# Those in README, as far as a window of this height shows them.
IN_README = ("dashboard-wide-light", "keys-wide-light", "request-wide-dark", "member-wide-light")
HEIGHT = 900
README_COLOURS = 192
MEMBER = "ada"
PERSONS = ("", "zoe@example.com", "yan@example.com")
MEMBERS_OF_TEAM = ("--lead", MEMBER, "--add", "grace", "--add", "linus")


def pages(gateway: GatewayProcess) -> dict[str, str]:
    key = gateway.database(lambda: Key.objects.filter(revoked_at=None).earliest("pk").pk)
    member_key = gateway.database(
        lambda: Key.objects.filter(revoked_at=None, owner__username=MEMBER).earliest("pk").pk
    )
    rows = gateway.database(
        lambda: [
            RequestLog.objects.filter(status=200, endpoint="chat").latest("pk").pk,
            RequestLog.objects.filter(status=429).latest("pk").pk,
        ]
    )
    team = gateway.database(lambda: Team.objects.get().pk)
    owner = gateway.database(lambda: get_user_model().objects.get(username=MEMBER).pk)
    captured = gateway.database(lambda: captured_row(key))
    alert = gateway.database(some_alerts)
    session = gateway.database(session_of_an_agent)
    return {
        "dashboard": "/admin/",
        "dashboard-team": "/admin/?days=30&by=team",
        "dashboard-year": "/admin/?days=365&by=owner&figure=requests",
        "keys": "/admin/keys/key/",
        "key": f"/admin/keys/key/{key}/change/",
        "key-new": "/admin/keys/key/add/",
        "key-rotate": f"/admin/keys/key/{key}/rotate/",
        "key-revoke": f"/admin/keys/key/{key}/revoke/",
        "owner-limits": "/admin/keys/ownerlimits/",
        "owner-limit": f"/admin/keys/ownerlimits/{owner}/change/",
        "usage-by-month": "/admin/keys/requestlog/report/",
        "usage-by-team": "/admin/keys/requestlog/report/?by=team",
        "everybody": "/admin/keys/everybody/",
        "raises": "/admin/keys/raise/",
        "raise-new": "/admin/keys/raise/add/",
        "raises-asked": "/admin/keys/raiserequest/",
        "teams": "/admin/keys/team/",
        "team": f"/admin/keys/team/{team}/change/",
        "log": "/admin/keys/requestlog/",
        "log-failed": "/admin/keys/requestlog/?status_class=failed",
        "request": f"/admin/keys/requestlog/{rows[0]}/change/",
        "request-captured": f"/admin/keys/requestlog/{captured}/change/",
        "sessions": "/admin/keys/requestlog/sessions/",
        "session": f"/admin/keys/requestlog/session/?session={session}",
        "request-failed": f"/admin/keys/requestlog/{rows[1]}/change/",
        "models": "/admin/catalog/catalogmodel/",
        "refresh": "/admin/catalog/catalogmodel/refresh/1/",
        "model": "/admin/catalog/catalogmodel/1/change/",
        "aliases": "/admin/catalog/alias/",
        "changes": "/admin/catalog/catalogchange/",
        "refreshes": "/admin/catalog/refreshrun/",
        "accounts": "/admin/auth/user/",
        "alerts": "/admin/alerts/alert/",
        "alert": f"/admin/alerts/alert/{alert}/change/",
        "audit": "/admin/admin/logentry/",
        "audit-entry": "/admin/admin/logentry/1/change/",
        "member": "/",
        "member-key": f"/keys/{member_key}/",
        "member-new": "/keys/new/",
        "member-limits": f"/keys/{member_key}/limits/",
        "member-ask": f"/keys/{member_key}/ask/",
        "member-raises": "/raises/",
        "member-rotate": f"/keys/{member_key}/rotate/",
        "member-team": "/team/",
        "member-team-key": f"/team/keys/{member_key}/",
        "member-team-revoke": f"/team/keys/{member_key}/revoke/",
        "member-usage": "/usage/",
        "member-requests": "/requests/",
        "member-sessions": "/sessions/",
        "member-session": f"/sessions/one/?session={session}&show=cost",
        "member-playground": "/playground/",
        "not-found": "/no/such/page/",
    }


def captured_row(key_id: int) -> int:
    """A chat of the key, with its text."""
    Key.objects.filter(pk=key_id).update(capture_text=True, capture_days=14)
    row = RequestLog.objects.filter(key_id=key_id, status=200, endpoint="chat").latest("started_at")
    asked = {
        "model": row.model,
        "messages": [
            {"role": "system", "content": "You answer in one sentence."},
            {"role": "user", "content": "Why is the sky blue?"},
        ],
        "stream": True,
    }
    text = json.dumps(asked)
    answer = "Air scatters the short waves of the sun's light, the blue, more than the long ones."
    CapturedText.objects.get_or_create(
        request_id=row.request_id,
        key_id=key_id,
        started_at=row.started_at,
        asked=text,
        asked_characters=len(text),
        answered=answer,
        answered_characters=len(answer),
    )
    return row.pk


def some_alerts() -> int:
    """What was told lately. The one whose deliveries are of every kind."""
    now = timezone.now()
    told = [
        (
            "limit",
            CRITICAL,
            "The key nightly of ada has used all of its daily budget: $5 of $5.",
        ),
        ("key_ends", WARNING, f"The key laptop of ada expires on {now:%Y-%m-%d at %H:%M} UTC."),
        ("model_retires", WARNING, "The model @cf/meta/llama-2 is in use and will be retired."),
        ("raise_answered", INFO, "ada's raise of the daily budget to $10 is granted."),
    ]
    alerts = [
        store.tell(
            Finding(
                event=event,
                series=f"picture:{event}",
                text=text,
                holder=Holder("key", "nightly", 1),
                severity=severity,
                figures={"limit": "daily budget", "used": "$5.02", "of": "$5", "percent": 100},
                is_state=severity != INFO,
                admin_path="/admin/keys/key/1/change/",
            ),
            now,
        )
        for event, severity, text in reversed(told)
    ]
    first = alerts[-1]
    assert first is not None
    for label, answer, sent_at, next_try_at in (
        ("webhook hooks.slack.com", "HTTP 200", now, None),
        ("webhook chat.example.com", "HTTP 503: closed", None, now + timedelta(minutes=4)),
        ("mail to ops@example.com", "taken by the mail server", now, None),
        ("mail to ada@example.com", "the mail server answered 550: no such user", None, None),
    ):
        Delivery.objects.create(
            alert=first,
            channel=label,
            label=label,
            is_to_owner="ada" in label,
            attempts=1 if sent_at else 4,
            sent_at=sent_at,
            next_try_at=next_try_at,
            answer=answer,
        )
    return first.pk


def session_of_an_agent() -> str:
    """An hour of a coding agent and its helper: prompts grow, most of each from the cache."""
    name = "567ca21e-708f-4954-85fa-10c87c2ea30b"
    like = RequestLog.objects.filter(owner_name=MEMBER, endpoint="chat").latest("pk")
    begin = like.started_at - timedelta(hours=1)
    RequestLog.objects.bulk_create(
        RequestLog(
            started_at=begin + timedelta(seconds=47 * n + (n * 37) % 30),
            request_id=f"agent-{n}",
            key_id=like.key_id,
            key_name=like.key_name,
            key_prefix=like.key_prefix,
            owner_id=like.owner_id,
            owner_name=like.owner_name,
            endpoint="messages",
            requested_model="@cf/openai/gpt-oss-120b",
            model="@cf/openai/gpt-oss-20b" if n % 9 == 4 else "@cf/openai/gpt-oss-120b",
            stream=True,
            status=429 if n == 31 else 200,
            error_code="rate_limit_exceeded" if n == 31 else "",
            error_message="Workers AI has no capacity for this model now." if n == 31 else "",
            end_reason="upstream_error" if n == 31 else "complete",
            prompt_tokens=None if n == 31 else 9_000 + 1_300 * (n % 40),
            cached_tokens=None if n == 31 else 7_000 + 1_100 * (n % 40),
            completion_tokens=None if n == 31 else 120 + (n * 97) % 900,
            cost_nano_usd=0 if n == 31 else 2_100_000 + (n * 83_000) % 1_900_000,
            usage_source="none" if n == 31 else "upstream",
            ttft_ms=400,
            duration_ms=2_000 + (n * 1_777) % 30_000,
            attempts=1,
            user_agent="claude-cli/2.1.332",
            session=name,
            agent="explore-7" if n % 9 == 4 else "",
        )
        for n in range(75)
    )
    return name


def fill(gateway: GatewayProcess) -> None:
    subprocess.run(
        [sys.executable, "-m", "bench.history", "--keys", "60", "--rows", "20000"],
        cwd=ROOT,
        env=gateway.environment,
        check=True,
    )

    def make_operator() -> None:
        operator = get_user_model().objects.get(username=MEMBER)
        operator.is_staff = operator.is_superuser = True
        operator.set_password(PASSWORD)
        operator.save()

    gateway.database(make_operator)
    gateway.manage("issue_team", "research", "--notes", "Everything about the new reactor.")
    gateway.manage("team_members", "research", *MEMBERS_OF_TEAM)
    gateway.database(count_for_team)
    limit(gateway)


def limit(gateway: GatewayProcess) -> None:
    """Limits of every form, a raise in force, and wishes that wait, are granted and refused."""
    key = str(
        gateway.database(
            lambda: Key.objects.filter(revoked_at=None, owner__username=MEMBER).earliest("pk").pk
        )
    )
    kimi = "@cf/moonshotai/*"
    gateway.manage(
        *("change_team", "research", "--monthly-usd", "40", "--weekly-usd", "12"),
        *("--rpm", "300", "--limit", f"rpd=500 {kimi}", "--daily-neurons", "900000"),
    )
    gateway.manage(
        *("change_key", key, "--daily-usd", "5", "--rpd", "2000", "--limit", f"rpm=20 {kimi}"),
        *("--user-limit", "daily-usd=0.50", "--user-limit", f"weekly-usd=1 {kimi}"),
    )
    gateway.manage("change_owner", MEMBER, "--monthly-usd", "60", "--limit", f"tpd=2000000 {kimi}")
    gateway.manage("change_everybody", "--rpm", "300", "--limit", f"daily-usd=9 {kimi}")
    until = f"{timezone.now() + timedelta(days=6):%Y-%m-%d}"
    for wish, why in (("daily-usd=+20", "The demo on Friday."), (f"rpm=60 {kimi}", "A backfill.")):
        gateway.manage("raise_limit", f"key:{key}", wish, "--until", until, "--why", why)
    gateway.database(lambda: ask_for_more(int(key)))


def ask_for_more(key_id: int) -> None:
    users = get_user_model().objects
    grace_key, _ = Key.issue(
        name="reports", owner=users.get(username="grace"), daily_budget_nano_usd=2 * 10**9
    )
    operator = users.get(username=MEMBER)
    until = timezone.now() + timedelta(days=5)
    wishes = (
        (operator, key_id, 10**10, "The demo of the new reactor needs a day of answers."),
        (operator, key_id, 5 * 10**9, "A second run of the evaluation."),
        (grace_key.owner, grace_key.pk, 3 * 10**9, "Quarterly reports, once."),
        (operator, key_id, 10**9, "Just in case."),
    )
    asked = []
    for user, holder_id, plus, why in wishes:
        subject = Subject("key", holder_id, "usd", "day")
        asked.append(
            raise_requests.ask(user, HeldLimit(subject, 0), plus=plus, until=until, why=why)
        )
    raise_requests.grant(asked[1], operator)
    raise_requests.refuse(asked[3], operator)


def count_for_team() -> None:
    """As if the members had always been in it, and sent the names of persons with their chats."""
    team = Team.objects.get()
    members = team.memberships.values("user_id")
    columns = [{each.name for each in model._meta.get_fields()} for model in (TeamTotal, DayTotal)]
    kept = sorted(columns[0] & columns[1] - {"id"})
    for total in DayTotal.objects.filter(owner_id__in=members, endpoint="chat").values(*kept):
        user = PERSONS[total["key_id"] % len(PERSONS)]
        TeamTotal.objects.create(team_id=team.pk, team_name=team.name, user=user, **total)


def sign_in(page: Page) -> None:
    page.goto("/admin/login/?next=/admin/")
    page.fill("#id_username", MEMBER)
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_url("**/admin/")


def take(browser: Browser, gateway: GatewayProcess, out: Path, only: str) -> None:
    wanted = {name: path for name, path in pages(gateway).items() if only in name}
    for size, width in WIDTHS.items():
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": width, "height": HEIGHT},
                base_url=gateway.url,
                color_scheme=scheme,
            )
            page = context.new_page()
            page.goto("/admin/login/")
            page.screenshot(path=out / f"sign-in-{size}-{scheme}.png")
            page.goto("/accounts/login/")
            page.screenshot(path=out / f"member-sign-in-{size}-{scheme}.png")
            sign_in(page)
            for name, path in wanted.items():
                page.goto(path)
                page.screenshot(path=out / f"{name}-{size}-{scheme}.png", full_page=True)
            context.close()


def put_in_readme(out: Path) -> None:
    """Small enough to be kept in git."""
    for name in IN_README:
        with Image.open(out / f"{name}.png") as picture:
            shown = picture.convert("RGB").crop((0, 0, picture.width, HEIGHT))
        few = shown.quantize(README_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(ROOT / "docs" / "screenshots" / f"{name}.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.browser.screenshots", description=__doc__
    )
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "screenshots")
    parser.add_argument("--only", default="", help="pages whose name contains this")
    parser.add_argument("--readme", action="store_true", help="replace those in docs/, too")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        running_simulator(speed=100) as upstream,
        running_gateway(Path(folder), upstream) as gateway,
        sync_playwright() as playwright,
    ):
        fill(gateway)
        chromium = playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        take(chromium, gateway, arguments.out, arguments.only)
        chromium.close()
    if arguments.readme:
        put_in_readme(arguments.out)
    print(f"Pictures are in {arguments.out}")


if __name__ == "__main__":
    main()
