"""Cloudflare's accounts, and numbers for names."""

import re
from dataclasses import dataclass, field

from proxysite.setting_readers.plain import SettingError


def rates(got: str) -> list[tuple[str, int]]:
    """`NAME=20,OTHER=300`, in this order."""
    found = []
    for part in got.split(","):
        if part.strip():
            name, mark, number = part.rpartition("=")
            if not (mark and name.strip() and 1 <= int(number) <= 1_000_000):
                raise ValueError
            found.append((name.strip(), int(number)))
    return found


@dataclass(frozen=True, slots=True)
class CloudflareAccount:
    """A further account by the name that rows have. The token stays out of every repr."""

    name: str
    id: str
    token: str = field(repr=False)


def further_accounts(got: str) -> list[CloudflareAccount]:
    """`NAME=ID:TOKEN,…`. No message quotes it."""
    found: list[CloudflareAccount] = []
    for part in got.split(","):
        if part.strip():
            match = re.fullmatch(
                r"([a-z][a-z0-9-]{0,31})=([A-Za-z0-9_-]+):([\x21-\x7e]+)", part.strip()
            )
            if match is None or match[1] == "main":
                raise SettingError(
                    f"Part {len(found) + 1} of CLOUDFLARE_ACCOUNTS cannot be read: it takes "
                    "NAME=ID:TOKEN for each further account, with commas between them: a name of "
                    "small letters, digits and - other than main, the account's id and its token."
                )
            found.append(CloudflareAccount(*match.groups()))
    return found
