"""Who may call: account and token in the forms that Cloudflare accepts, and its errors."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from workers_ai.simulator.replies import Refusal

_ACCOUNT = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"(?:cf(?:ut|at|k)_)?[A-Za-z0-9_-]{20,}")

AUTHENTICATION_ERROR = Refusal(401, 10000, "Authentication error")


@dataclass(frozen=True)
class Access:
    """The accepted credentials; None accepts any of the right form. `more` has the tokens of
    further accounts, by their ids."""

    account: str | None = None
    token: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    def require(self, account: str, headers: dict[str, str], path: str) -> None:
        """Raises `Refusal` unless these credentials are valid for this account."""
        if not _ACCOUNT.fullmatch(account):
            raise Refusal(
                404,
                7003,
                f"Could not route to {path}, perhaps your object identifier is invalid?",
            )
        given = credential(headers)
        if given is None:
            raise AUTHENTICATION_ERROR
        if not _TOKEN.fullmatch(given):
            raise Refusal(400, 9106, "Authentication failed (status: 400)")
        if account in self.more:
            is_let_in = given == self.more[account]
        else:
            is_let_in = self._is_first(given) and account == (self.account or account)
        if not is_let_in:
            # A wrong token and a token for another account get the same error.
            raise AUTHENTICATION_ERROR

    def is_right(self, headers: dict[str, str]) -> bool | None:
        """Whether the credential is an expected one; None when there is none."""
        given = credential(headers)
        if given is None:
            return None
        return self._is_first(given) or given in self.more.values()

    def _is_first(self, given: str) -> bool:
        return bool(_TOKEN.fullmatch(given)) and (self.token is None or given == self.token)


def credential(headers: dict[str, str]) -> str | None:
    """The token, or the key of the legacy pair; empty for a header that holds neither."""
    if "authorization" in headers:
        scheme, _, token = headers["authorization"].partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    if "x-auth-email" in headers and "x-auth-key" in headers:
        return headers["x-auth-key"]
    return None
