"""A rolling update: the last release's workers beside today's, on one database and one Redis.

The release is the newest that CHANGELOG names; its code is taken out of git.
"""

import asyncio
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model

from tests.gateway import ROOT, GatewayProcess
from tests.keys import drills
from tests.keys.load import PICTURE_NANO_USD, Asked, Load, ask_all, callers
from tests.openai_api.chats import new_id
from workers_ai.simulator.serve import RunningSimulator

# A limit, its room for seven requests, and what is asked.
ROOM = {
    "requests_per_minute": (7, "chat"),
    "concurrency": (7, "slow chat"),
    "daily_budget_nano_usd": (8 * PICTURE_NANO_USD - 1, "picture"),
}
PAGES = (
    *("/", "/usage/", "/requests/", "/admin/", "/admin/keys/key/", "/admin/keys/requestlog/"),
    *("/admin/keys/ownerlimits/", "/admin/catalog/catalogmodel/", "/readyz"),
)
# What a worker says that cannot read or write what it finds.
_ALARMS = re.compile(r"^\S+ (?:ERROR|CRITICAL) .*|^\w+(?:\.\w+)*(?:Error|Exception)\b.*", re.M)


class Release(NamedTuple):
    version: str
    commit: str

    def __str__(self) -> str:
        return f"release {self.version} ({self.commit})"


def newest_release() -> Release:
    found = re.search(
        r"^## \[(\d[\w.]*)\] - \S+, commit (\w+)$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    assert found, "CHANGELOG names no release with its commit"
    return Release(*found.groups())


def code_of(release: Release, folder: Path) -> Path:
    """The release's own code; the test is skipped where git does not have it."""
    archive = folder / "release.tar"
    words = ["git", "archive", f"--output={archive}", release.commit, "--", ".", ":!tests"]
    try:
        subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"git does not have the commit of {release} here")
    code = folder / "release"
    with tarfile.open(archive) as packed:
        packed.extractall(code, filter="data")
    return code


@contextmanager
def release_beside(
    today: GatewayProcess, upstream: RunningSimulator, folder: Path
) -> Iterator[GatewayProcess]:
    """The last release on the database, the Redis and the other settings of `today`."""
    release = newest_release()
    code = code_of(release, folder)
    shared = {
        name: value
        for name, value in today.environment.items()
        if name not in ("PORT", "WEB_CONCURRENCY")
    }
    beside = GatewayProcess(folder, upstream, code=code, **shared)
    try:
        beside.start()
        yield beside
    finally:
        beside.close()


async def roll(today: GatewayProcess, beside: GatewayProcess) -> None:
    """Traffic of every kind at both, limits that hold for both together, and the release's pages.

    Raises AssertionError with what failed, where, and what the workers said of it.
    """
    release, already_said = newest_release(), len(today.log)
    record, key = today.issue(
        daily_budget_nano_usd=drills.MUCH_NANO_USD, requests_per_minute=10**6, concurrency=10**4
    )
    asked, passed = await asyncio.gather(
        _asked_at_both(today, beside, key),
        asyncio.gather(*(_passing_of_fifty(today, beside, limit) for limit in ROOM)),
    )
    broken: dict[str, Any] = {
        f"requests to {name}": dict(failed)
        for name, ones in asked.items()
        if (failed := Counter(map(_failure_of, ones))) and failed.pop("", None) != len(ones)
    }
    for limit, count in zip(ROOM, passed, strict=True):
        if count != 7:
            broken[f"a limit of 7, {limit}"] = f"{count} passed"
    broken |= _pages_of(beside, today)
    for name, said in (("today", today.log[already_said:]), (str(release), beside.log)):
        if alarms := _ALARMS.findall(said):
            broken[f"log of {name}"] = alarms[:5]
    assert not broken, f"today's workers and {release} on the database of today: {broken}"
    drills.assert_all_agree(today, record, key, [one for ones in asked.values() for one in ones])
    told, told_today = drills.key_facts(beside, key), drills.key_facts(today, key)
    # Today's may tell more than the release does.
    assert told == {name: told_today.get(name) for name in told}


async def _asked_at_both(
    today: GatewayProcess, beside: GatewayProcess, key: str
) -> dict[str, list[Asked]]:
    kinds = Load.KINDS * 12
    async with callers(today, key) as client, callers(beside, key) as client_beside:
        asked, asked_beside = await asyncio.gather(
            ask_all(client, kinds, at_once=6), ask_all(client_beside, kinds, at_once=6)
        )
    return {"today's": asked, str(newest_release()): asked_beside}


def _failure_of(asked: Asked) -> str:
    """In a few words; empty for a request that got what it should."""
    if asked.status == (400 if asked.kind == "refused above" else 200):
        return "" if asked.whole or asked.kind == "left stream" else f"{asked.kind}: cut"
    return f"{asked.kind}: {asked.status} {asked.code}"


async def _passing_of_fifty(today: GatewayProcess, beside: GatewayProcess, limit: str) -> int:
    room, kind = ROOM[limit]
    key = today.issue_key(**{limit: room})
    async with callers(today, key) as client, callers(beside, key) as client_beside:
        halves = await asyncio.gather(
            *(ask_all(each, [kind] * 25, at_once=25) for each in (client, client_beside))
        )
    return sum(one.status == 200 for half in halves for one in half)


def _pages_of(beside: GatewayProcess, today: GatewayProcess) -> dict[str, str]:
    """What the release shows, and makes, with today's tables."""
    broken = {}
    operator = today.database(
        lambda: get_user_model().objects.create_superuser(f"rolling-{new_id()}", password="x")
    )
    cookies = {settings.SESSION_COOKIE_NAME: today.session_of(operator)}
    with httpx.Client(base_url=beside.url, cookies=cookies, timeout=30) as browser:
        for path in PAGES:
            page = browser.get(path)
            if page.status_code != 200:
                broken[path] = f"{page.status_code} {page.text[-300:]}"
    made = beside.manage("issue_key", "made-by-the-release", "--owner", "rolling", check=False)
    key = re.search(r"sk-wai-\S+", made.stdout)
    if key is None:
        broken["issue_key"] = made.stdout + made.stderr[-500:]
    else:
        headers = {"authorization": f"Bearer {key[0]}"}
        for gateway in (today, beside):
            answer = httpx.get(gateway.url + "/v1/key", headers=headers)
            if answer.status_code != 200:
                broken[f"the release's key at {gateway.url}"] = answer.text
    return broken
