"""What an OpenID Connect provider says about a person, and what of it is trusted. Pure.

allauth keeps both sources as the provider sent them: `userinfo`, and `id_token` decoded.
https://openid.net/specs/openid-connect-core-1_0.html
"""

import re
from dataclasses import dataclass
from typing import Any, Final

# Exactly one address, in the form that browsers accept in an email field. Non-ASCII letters are not
# accepted, since databases compare some of them as equal to others.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?P<domain>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)"
)
_LONGEST_ADDRESS: Final = 254


@dataclass(frozen=True, slots=True)
class Address:
    """`text` is empty if the provider sent no valid address. `counts` means that the address is
    known to be the person's: the provider verified it, or the operator trusts all addresses of this
    issuer."""

    text: str
    counts: bool

    @property
    def domain(self) -> str:
        return self.text.rpartition("@")[2].lower()


def address_in(sources: Any, *, all_are_trusted: bool) -> Address:
    """The address from the first source that has one, with that source's `email_verified`."""
    claims = next((one for one in _dicts(sources) if one.get("email")), {})
    text = claims.get("email")
    if not isinstance(text, str) or not _is_one_address(text):
        return Address("", counts=False)
    return Address(text, counts=_counts(claims.get("email_verified"), all_are_trusted))


@dataclass(frozen=True, slots=True)
class Groups:
    """`are_known` is false where the provider's claim cannot be read; then there are no names."""

    names: frozenset[str]
    are_known: bool = True


def groups_in(sources: Any, claim: str) -> Groups:
    """The groups in the first source that has the claim: the ID token, which says whom it is for,
    then userinfo. A provider may leave the claim out for somebody without groups. Only an array of
    texts counts; of anything else it is not guessed what was meant.

    `claim` is a name, or a way such as realm_access.roles to a member of an object. A claim that is
    to be fetched elsewhere (section 5.6.2; Entra ID does so above 200 groups) is not read.
    """
    for claims in reversed(_dicts(sources)):
        elsewhere = claims.get("_claim_names")
        if isinstance(elsewhere, dict) and claim in elsewhere:
            return Groups(frozenset(), are_known=False)
        found = _found(claims, claim)
        if found is not None:
            is_array_of_texts = isinstance(found, list) and all(
                isinstance(name, str) for name in found
            )
            return Groups(frozenset(found if is_array_of_texts else ()), is_array_of_texts)
    return Groups(frozenset())


def _found(claims: dict[str, Any], claim: str) -> Any:
    """Names may have dots themselves, as URLs do."""
    if claim in claims:
        return claims[claim]
    found: Any = claims
    for part in claim.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def problem_with(sources: Any) -> str | None:
    """Why the claims cannot be used, as text for the log; None if they can. Section 5.3.2 requires
    the same subject in both sources, and only an ID token says which issuer and client they are
    from."""
    if not isinstance(sources, dict) or not isinstance(sources.get("id_token"), dict):
        return "the provider sent no ID token"
    subject = sources["id_token"].get("sub")
    userinfo = sources.get("userinfo")
    if isinstance(userinfo, dict) and str(userinfo.get("sub")) != str(subject):
        return "the ID token and userinfo are about different people"
    if not isinstance(subject, str) or not subject:
        return "the ID token has no subject"
    return None


def _dicts(sources: Any) -> list[dict[str, Any]]:
    found = sources if isinstance(sources, dict) else {}
    return [one for name in ("userinfo", "id_token") if isinstance(one := found.get(name), dict)]


def _is_one_address(text: str) -> bool:
    return len(text) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def _counts(is_verified: object, all_are_trusted: bool) -> bool:
    """By section 5.1 the claim is a JSON boolean, so 1 or "true" alone does not count. If the
    operator trusts all addresses, a missing claim counts, and so does "true" as text, which Cognito
    sends; any other value is what the provider knows about this person, and then the address does
    not count."""
    return is_verified is True or (all_are_trusted and is_verified in (None, "true"))
