"""What of a provider's claims counts as somebody's address, and as an answer at all."""

from typing import Any

import pytest

from keys.member.claims import Groups, address_in, groups_in, problem_with


def claims(**more: Any) -> dict[str, Any]:
    return {"userinfo": {"sub": "s", **more}, "id_token": {"sub": "s", "iss": "https://a.example"}}


@pytest.mark.parametrize(
    "text",
    ["x@example.com", "first.last+tag@sub.example.co.uk", "x_1@EXAMPLE.com", "o'neil@a-b.org"],
)
def test_one_address_is_one(text: str) -> None:
    address = address_in(claims(email=text, email_verified=True), all_are_trusted=False)
    assert (address.text, address.counts) == (text, True)
    assert address.domain == text.partition("@")[2].lower()


@pytest.mark.parametrize(
    "text",
    [
        *("x@evil.org,y@example.com", "x@evil.org;y@example.com", "x@evil.org y@example.com"),
        *("x@evil.org\n@example.com", "x@evil.org\r\nbcc: y@example.com", "x@example.com\n"),
        *("x@example.com ", " x@example.com", "x@example.com\x00", "x@evil.org\x00@example.com"),
        *("x@evil.org@example.com", '"x@evil.org"@example.com', "<x@evil.org>@example.com"),
        *("x@example.com.", "X <x@evil.org>, y@example.com", "x@[127.0.0.1]@example.com"),
        *("@example.com", "example.com", "x@", "x@example", "x@.example.com", "x@example..com"),
        *("x@ex\u00e4mple.com", "x@\uff45xample.com", "x@e\u200bxample.com"),
        *(
            "v\u0131ctim@example.com",
            "x@exa\u212ample.com",
            "x\u202e@example.com",
            "x\uff20example.com",
        ),
        *(
            f"{'x' * 65}@example.com",
            f"x@{'a.' * 200}com",
            "x%00@example.com\t",
            "mailto:x@example.com",
        ),
        *(None, "", [], ["x@example.com"], {"email": "x@example.com"}, 7, True),
    ],
)
@pytest.mark.parametrize("trusted", [True, False])
def test_what_is_not_one_address_is_none(text: Any, trusted: bool) -> None:
    address = address_in(claims(email=text, email_verified=True), all_are_trusted=trusted)
    assert (address.text, address.counts, address.domain) == ("", False, "")


@pytest.mark.parametrize("said", [False, "false", "True", "yes", 1, 1.0, 0, "1", [True], {}, "x"])
def test_only_true_says_that_an_address_is_verified(said: Any) -> None:
    assert not address_in(
        claims(email="x@a.org", email_verified=said), all_are_trusted=False
    ).counts
    assert not address_in(claims(email="x@a.org", email_verified=said), all_are_trusted=True).counts


def test_an_operator_s_word_counts_where_the_provider_says_nothing() -> None:
    for said in ({}, {"email_verified": None}, {"email_verified": "true"}):
        told = claims(email="x@a.org", **said)
        assert address_in(told, all_are_trusted=True).counts
        assert not address_in(told, all_are_trusted=False).counts


def test_an_address_and_its_verification_are_of_one_source() -> None:
    told = claims(email="x@a.org")
    told["id_token"] |= {"email": "y@a.org", "email_verified": True}
    assert not address_in(told, all_are_trusted=False).counts
    del told["userinfo"]["email"]
    address = address_in(told, all_are_trusted=False)
    assert (address.text, address.counts) == ("y@a.org", True)


@pytest.mark.parametrize("sources", [None, [], {}, {"userinfo": {"sub": "s"}}, {"id_token": {}}])
def test_without_an_id_token_there_is_no_answer(sources: Any) -> None:
    assert problem_with(sources) is not None
    assert address_in(sources, all_are_trusted=True).text == ""


def test_both_sources_are_of_one_person() -> None:
    assert problem_with(claims()) is None
    assert problem_with({"id_token": {"sub": "s"}}) is None
    for sub in ("t", "", "S", None):
        assert problem_with({"userinfo": {"sub": sub}, "id_token": {"sub": "s"}}) is not None


def test_groups_are_an_array_of_texts_in_either_source() -> None:
    for sources, claim in (
        (claims(groups=["a", "b"]), "groups"),
        ({"id_token": {"groups": ["a", "b", "a"]}, "userinfo": {"groups": ["c"]}}, "groups"),
        (claims(realm_access={"roles": ["a", "b"]}), "realm_access.roles"),
        (claims(**{"https://example.com/groups": ["a", "b"]}), "https://example.com/groups"),
        ({"id_token": {"groups": ["b", "a"]}}, "groups"),
    ):
        assert groups_in(sources, claim) == Groups(frozenset("ab"))
    # Providers leave the claim out where there is none.
    for sources in (claims(), claims(groups=None), claims(groups=[]), {}, None, []):
        assert groups_in(sources, "groups") == Groups(frozenset())


@pytest.mark.parametrize(
    "claim",
    [
        *("operators", "", 7, True, {"operators": True}, ["operators", 7], ["operators", None]),
        *([["operators"]], [{"name": "operators"}], {"0": "operators"}, 1.5),
    ],
)
def test_groups_of_any_other_shape_are_none_and_told(claim: Any) -> None:
    unknown = Groups(frozenset(), are_known=False)
    assert groups_in(claims(groups=claim), "groups") == unknown
    # A good one beside it does not make up for it.
    sources = {"id_token": {"groups": claim}, "userinfo": {"groups": ["operators"]}}
    assert groups_in(sources, "groups") == unknown


def test_groups_that_are_to_be_fetched_elsewhere_are_not_known() -> None:
    sources = claims(_claim_names={"groups": "src1"}, _claim_sources={"src1": {"endpoint": "…"}})
    assert groups_in(sources, "groups") == Groups(frozenset(), are_known=False)
