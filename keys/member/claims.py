"""What a provider of OpenID Connect says of a person, and how much of it counts. Pure.

allauth keeps both sources as the provider sent them: `userinfo`, and `id_token` decoded.
https://openid.net/specs/openid-connect-core-1_0.html
"""

import re
from dataclasses import dataclass
from typing import Any, Final

# One address and nothing beside it: what browsers take in a field for an address. Letters of
# other alphabets are not among them, since some are equal to others in a database's comparison.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?P<domain>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)"
)
_LONGEST_ADDRESS: Final = 254


@dataclass(frozen=True, slots=True)
class Address:
    """`text` is empty when the provider sent none, or none that is one address. `counts` says that
    it is the person's: the provider checked it, or the operator vouches for all of its issuer's."""

    text: str
    counts: bool

    @property
    def domain(self) -> str:
        return self.text.rpartition("@")[2].lower()


def address_in(sources: Any, *, all_are_trusted: bool) -> Address:
    """From whichever source has one, with what that source says of it."""
    claims = next((one for one in _dicts(sources) if one.get("email")), {})
    text = claims.get("email")
    if not isinstance(text, str) or not _is_one_address(text):
        return Address("", counts=False)
    return Address(text, counts=_counts(claims.get("email_verified"), all_are_trusted))


def problem_with(sources: Any) -> str | None:
    """Why this is nobody's answer, in words for the log: section 5.3.2 wants one subject in both
    sources, and without an ID token nothing says which issuer and client they are from."""
    if not isinstance(sources, dict) or not isinstance(sources.get("id_token"), dict):
        return "the provider sent no ID token"
    subject = sources["id_token"].get("sub")
    userinfo = sources.get("userinfo")
    if isinstance(userinfo, dict) and str(userinfo.get("sub")) != str(subject):
        return "the ID token and userinfo are of two people"
    if not isinstance(subject, str) or not subject:
        return "the ID token names nobody"
    return None


def _dicts(sources: Any) -> list[dict[str, Any]]:
    found = sources if isinstance(sources, dict) else {}
    return [one for name in ("userinfo", "id_token") if isinstance(one := found.get(name), dict)]


def _is_one_address(text: str) -> bool:
    return len(text) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def _counts(is_verified: object, all_are_trusted: bool) -> bool:
    """The claim is a JSON boolean by section 5.1, so 1 and "true" say nothing by themselves. An
    operator's word stands for a claim that is missing, or "true" as a text, which Cognito sends; a
    claim that says otherwise is the provider's own knowledge of this person, and stronger."""
    return is_verified is True or (all_are_trusted and is_verified in (None, "true"))
