import pytest
from rest_framework.test import APIRequestFactory

from keys import errors, key_text
from keys.access.authentication import KeyAuthentication, key_for, sent_key
from keys.access.key_index import KeyIndex
from tests.keys.factories import issued


def sent(**headers):
    return sent_key(
        {name.lower().replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    )


@pytest.mark.parametrize(
    "header", ["Bearer abc", "bearer abc", "BEARER   abc  ", "  Bearer abc", "Bearer \tabc"]
)
def test_the_bearer_token_is_read_whatever_its_case_and_spaces(header):
    assert sent(AUTHORIZATION=header) == "abc"


def test_x_api_key_is_read_when_there_is_no_authorization():
    assert sent(X_API_KEY=" abc ") == "abc"


def test_bearer_wins_over_x_api_key():
    assert sent(AUTHORIZATION="Bearer one", X_API_KEY="two") == "one"


def test_another_scheme_falls_back_to_x_api_key():
    assert sent(AUTHORIZATION="Basic dXNlcjpwdw==", X_API_KEY="two") == "two"


@pytest.mark.parametrize("headers", [{}, {"AUTHORIZATION": ""}, {"AUTHORIZATION": "Bearer "}])
def test_no_key_at_all_is_missing(headers):
    with pytest.raises(errors.MissingKey):
        sent(**headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"AUTHORIZATION": "Basic dXNlcjpwdw=="},
        {"AUTHORIZATION": "sk-wai-without-a-scheme"},
        {"AUTHORIZATION": "Bearer one,two"},
        {"AUTHORIZATION": "Bearer one two"},
        {"X_API_KEY": "one, two"},
        {"AUTHORIZATION": "Bearer " + "x" * 10_000},
    ],
)
def test_what_cannot_be_one_key_is_malformed_and_not_echoed(headers):
    with pytest.raises(errors.MalformedKey) as caught:
        sent(**headers)
    assert not any(part in str(caught.value) for part in ("one", "dXNl", "without", "xxx"))


def test_a_mistyped_key_is_refused_without_asking_the_database():
    with pytest.raises(errors.MalformedKey):
        key_for(key_text.make_key()[:-1] + "-", KeyIndex())


def test_a_well_formed_key_that_memory_lacks_says_which_to_look_up():
    text = key_text.make_key()
    with pytest.raises(errors.KeyUnknownSoFar) as caught:
        key_for(text, KeyIndex())
    assert caught.value.digest == key_text.digest(text)
    assert isinstance(caught.value, errors.UnknownKey)


@pytest.mark.django_db
def test_a_revoked_key_is_told_apart():
    key, text = issued()
    key.revoke()
    index = KeyIndex()
    index.load("")
    with pytest.raises(errors.RevokedKey, match="revoked"):
        key_for(text, index)


@pytest.mark.django_db
def test_drf_gets_a_holder_and_the_record(monkeypatch):
    _, text = issued()
    index = KeyIndex()
    index.load("")
    monkeypatch.setattr("keys.access.authentication.key_for", lambda t: key_for(t, index))
    request = APIRequestFactory().get("/")
    request.raw_headers = {b"authorization": f"Bearer {text}".encode()}
    holder, record = KeyAuthentication().authenticate(request)
    assert (holder.username, holder.is_authenticated) == ("ada", True)
    assert record.name == "laptop"
    assert KeyAuthentication().authenticate_header(request) == "Bearer"
