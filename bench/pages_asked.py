"""Asks for the pages of a gateway whose database `bench.history` filled, and prints their times.

A line stands for many pages, of which the slowest counts.
"""

import argparse
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from html import unescape
from itertools import combinations
from urllib.parse import urlencode

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxysite.settings")

import django

django.setup()

# Models can be imported only now.
from django.contrib import admin  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench.history import LOG_DAYS, OWNERS, RARE_ERROR, RARE_MODEL, USES  # noqa: E402
from bench.processes import cpu_s, parent_of  # noqa: E402
from keys.models import Key, RequestLog  # noqa: E402
from keys.reports.periods import DIMENSIONS, FIGURES  # noqa: E402
from proxysite.dashboard.addresses import PERIODS  # noqa: E402

LOG = "/admin/keys/requestlog/"
# How far back the link to older rows is followed on a page of the log.
PAGES = 3


@dataclass
class Line:
    """`cpu_s` and `clock_s` of the slowest page, `address` of it."""

    name: str
    pages: int = 0
    cpu_s: float = 0.0
    clock_s: float = 0.0
    address: str = ""

    def add(self, address: str, cpu_s: float, clock_s: float) -> None:
        self.pages += 1
        self.clock_s = max(self.clock_s, clock_s)
        if cpu_s >= self.cpu_s:
            self.cpu_s, self.address = cpu_s, address


@dataclass
class Asker:
    client: Client
    # Of the database's server; None on SQLite.
    server_pid: int | None
    lines: list[Line] = field(default_factory=list)

    def ask(self, name: str, addresses: Iterable[str]) -> None:
        line = Line(name)
        self.lines.append(line)
        for address in addresses:
            self._get(line, address)
        _show(line)

    def ask_log(self, name: str, queries: Iterable[dict[str, str]], pages: int = PAGES) -> None:
        """Each with some older pages, and the way back from the last."""
        line = Line(name)
        self.lines.append(line)
        for query in queries:
            address = f"{LOG}?{urlencode(query)}"
            page = self._get(line, address)
            for _ in range(pages):
                if older := _linked(page, "next"):
                    page = self._get(line, LOG + older)
            if newer := _linked(page, "prev"):
                self._get(line, LOG + newer)
        _show(line)

    def _get(self, line: Line, address: str) -> str:
        begun = self._cpu_s(), time.perf_counter()
        response = self.client.get(address)
        line.add(address, self._cpu_s() - begun[0], time.perf_counter() - begun[1])
        if response.status_code != 200:
            raise SystemExit(f"{address} answered {response.status_code}.")
        return response.content.decode()

    def _cpu_s(self) -> float:
        server_s = cpu_s(self.server_pid) if self.server_pid else 0.0
        return time.process_time() + server_s


def _linked(page: str, way: str) -> str:
    found = re.search(rf'href="([^"]+)" rel="{way}"', page)
    return unescape(found[1]) if found else ""


def _show(line: Line) -> None:
    numbers = f"{line.cpu_s:7.2f} {line.clock_s:7.2f} {line.pages:6}"
    print(f"{numbers}  {line.name:44} {line.address[:120]}", flush=True)


def operator() -> User:
    rights = {"is_staff": True, "is_superuser": True}
    return User.objects.get_or_create(username="bench-operator", defaults=rights)[0]


def signed_in(user: User) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def busiest_key() -> Key:
    newest = RequestLog.objects.order_by("-pk").values_list("key_id", flat=True)[:100]
    [(key_id, _)] = Counter(newest).most_common(1)
    return Key.objects.select_related("owner").get(pk=key_id)


def log_values() -> dict[str, list[str]]:
    """Of each filter values that fit many rows, few and none."""
    today = timezone.now().astimezone(UTC).date()
    busiest, rare = busiest_key().pk, RequestLog.objects.earliest("pk").key_id
    ordinary = Key.objects.exclude(pk__in=(busiest, rare)).earliest("pk").pk
    owners = User.objects.filter(username__in=OWNERS).order_by("pk").values_list("pk", flat=True)
    first = today - timedelta(days=LOG_DAYS + 1)
    return {
        "key": [str(busiest), str(ordinary), str(rare), "999999999"],
        "owner": [str(owners[0]), str(owners[1]), "999999999"],
        "model": [USES[0][0], RARE_MODEL, "@cf/no/such"],
        "endpoint": ["chat", "embeddings", "rerank", "speech"],
        "status_class": ["ok", "failed", "gone", "4xx", "5xx"],
        "error": ["upstream_error", RARE_ERROR, "no_such_error"],
        "stream": ["yes", "no"],
        "day": [str(today - timedelta(days=1)), f"{first}..{today}", "2020-01-01"],
    }


def log_pairs() -> Iterator[dict[str, str]]:
    for (one, these), (other, those) in combinations(log_values().items(), 2):
        for this in these:
            for that in those:
                yield {one: this, other: that}


def ask_operator(asker: Asker) -> None:
    for days, name in PERIODS.items():
        addresses = [
            f"/admin/?days={days}&figure={figure}&by={by}"
            for figure in FIGURES
            for by in DIMENSIONS
        ]
        asker.ask(f"dashboard, {name.lower()}", addresses)
    for model in admin.site._registry:
        label = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        asker.ask(f"list of {model._meta.verbose_name_plural}", [reverse(label)])
    keys = reverse("admin:keys_key_changelist")
    filters = ("near=yes", "unused=yes", "expiring=yes", "state=active", "q=ada", "p=4", "o=1")
    asker.ask("keys, filtered, searched and sorted", [f"{keys}?{each}" for each in filters])
    some = Key.objects.values_list("pk", flat=True)[:20]
    asker.ask("a key's page", [reverse("admin:keys_key_change", args=[pk]) for pk in some])
    row = RequestLog.objects.earliest("pk")
    asker.ask("a request's page", [reverse("admin:keys_requestlog_change", args=[row.pk])])
    asker.ask_log("request log", [{}])
    asker.ask_log("request log, searched", [{"q": row.request_id}, {"q": "no-such-id"}])
    for name, values in log_values().items():
        asker.ask_log(f"request log by {name}", [{name: value} for value in values])
    asker.ask_log("request log by any two", log_pairs(), pages=1)


def ask_member(asker: Asker, key: Key) -> None:
    asker.ask("member's keys, use and playground", ["/", "/usage/", "/playground/"])
    asker.ask("member's key", [reverse("member:key", args=[key.pk])])
    for query in ("", "failed=1", f"key={key.pk}", f"key={key.pk}&failed=1"):
        asker.ask(f"member's requests {query.partition('=')[0]}", [f"/requests/?{query}"])


def _server_pid() -> int | None:
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        # All of its processes: a query may be shared among some.
        return parent_of(cursor.fetchone()[0])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pages_asked", description=__doc__)
    parser.add_argument("--most", type=float, default=1.0)
    most: float = parser.parse_args().most
    busiest = busiest_key()
    print(f"{connection.vendor}: seconds of the CPU and of the clock, how many pages, which")
    asker = Asker(signed_in(operator()), _server_pid())
    # The first page of a process also loads code, which is not counted.
    asker.client.get("/admin/")
    ask_operator(asker)
    member: User = busiest.owner  # type: ignore[assignment]
    asker.client = signed_in(member)
    ask_member(asker, busiest)
    slow = [line for line in asker.lines if line.cpu_s > most]
    print(f"{sum(line.pages for line in asker.lines):,} pages, {len(slow)} lines above {most:g} s")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
