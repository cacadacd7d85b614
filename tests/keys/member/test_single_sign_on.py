"""Single sign-on over HTTP: a gateway that is configured for it, and a provider on loopback."""

import html
import re
import socket
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from keys.models import Membership
from proxysite.models import FailedSignIns
from tests.gateway import GatewayProcess, running_gateway
from tests.keys.member.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    OpenIdProvider,
    openid_provider,
)
from workers_ai.simulator.serve import RunningSimulator

IN, START, BACK = "/accounts/login/", "/accounts/sso/", "/accounts/sso/callback/"


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    with openid_provider() as running:
        yield running


@pytest.fixture(scope="module")
def site(
    provider: OpenIdProvider,
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[GatewayProcess]:
    told = {
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_NAME": "Example & Co",
        "OIDC_EMAIL_DOMAINS": "Example.com,example.org",
    }
    folder = tmp_path_factory.mktemp("single-sign-on")
    with (
        django_db_blocker.unblock(),
        running_gateway(folder, session_upstream, refresh=False, **told) as gateway,
    ):
        yield gateway


@pytest.fixture(scope="module")
def beside(
    site: GatewayProcess,
    session_upstream: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[Callable[..., GatewayProcess]]:
    """Another gateway on the database of `site`, with other settings of single sign-on."""
    started: dict[frozenset[tuple[str, str]], GatewayProcess] = {}
    with ExitStack() as stack, django_db_blocker.unblock():

        def start(**told: str) -> GatewayProcess:
            place = frozenset(told.items())
            if place not in started:
                same = {name: site.environment[name] for name in SAME}
                folder = tmp_path_factory.mktemp("beside")
                gateway = GatewayProcess(folder, session_upstream, **{**same, **told})
                stack.callback(gateway.close)
                gateway.start()
                started[place] = gateway
            return started[place]

        yield start


@pytest.fixture(scope="module")
def open_site(beside: Callable[..., GatewayProcess]) -> GatewayProcess:
    """Where everybody may come whom the provider lets in."""
    return beside()


@pytest.fixture(scope="module")
def other_provider() -> Iterator[OpenIdProvider]:
    with openid_provider() as running:
        yield running


@pytest.fixture(scope="module")
def moved_site(
    beside: Callable[..., GatewayProcess], other_provider: OpenIdProvider
) -> GatewayProcess:
    """After a change of the issuer, to one whose addresses the operator vouches for."""
    return beside(
        OIDC_ISSUER=other_provider.issuer,
        OIDC_EMAIL_DOMAINS="example.com",
        OIDC_TRUST_EMAIL="true",
    )


SAME = ("DATABASE_URL", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "SECRET_KEY")


@pytest.fixture
def browser(site: GatewayProcess, django_db_blocker: Any) -> Iterator[httpx.Client]:
    with (
        django_db_blocker.unblock(),
        httpx.Client(base_url=site.url, timeout=30, follow_redirects=True) as http,
    ):
        yield http


@pytest.fixture
def person(provider: OpenIdProvider) -> dict[str, Any]:
    """Somebody whom neither the provider nor the gateway has seen."""
    provider.is_down = False
    provider.identity, provider.told = {}, {}
    provider.person = somebody()
    return provider.person


def somebody(**claims: Any) -> dict[str, Any]:
    name = f"p{uuid.uuid4().hex[:10]}"
    return {
        "sub": name,
        "preferred_username": name,
        "email": f"{name}@example.com",
        "email_verified": True,
        **claims,
    }


Account = Callable[..., Any]


@pytest.fixture
def account(site: GatewayProcess) -> Account:
    """Makes an account at the gateway; its id."""

    def make(name: str, **fields: Any) -> int:
        users = get_user_model().objects
        return int(site.database(lambda: users.create_user(name, **fields)).pk)

    return make


def begin(http: httpx.Client, next_page: str = "") -> httpx.Response:
    http.get(IN)
    return http.post(START, data={"csrfmiddlewaretoken": csrf(http), "next": next_page})


def csrf(http: httpx.Client) -> str:
    return http.cookies[settings.CSRF_COOKIE_NAME]


def sign_in(http: httpx.Client, next_page: str = "") -> httpx.Response:
    return http.get(onward(begin(http, next_page)))


def onward(page: httpx.Response) -> str:
    """Where the page leads to by itself."""
    assert page.status_code == 200, page.text
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


def name_in(response: httpx.Response) -> str | None:
    found = re.search(r'<span class="name">([^<]*)<', response.text)
    return found[1] if found else None


def test_somebody_new_gets_an_account_without_a_password(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any]
) -> None:
    assert "Sign in with Example &amp; Co" in browser.get(IN).text
    page = sign_in(browser, "/usage/")
    assert (page.url.path, name_in(page)) == ("/usage/", person["sub"])
    user = site.database(lambda: get_user_model().objects.get(username=person["sub"]))
    assert not user.has_usable_password() and not user.is_staff
    assert user.email == person["email"]


def test_who_comes_again_is_the_same(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any]
) -> None:
    sign_in(browser)
    browser.cookies.clear()
    person["preferred_username"], person["email"] = "renamed", "renamed@example.org"
    assert name_in(sign_in(browser)) == person["sub"]


def test_a_verified_address_leads_to_the_account_that_has_it(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any], account: Account
) -> None:
    name = f"had-{person['sub']}"
    account(name, email=person["email"].upper(), password="a-password-that-stays")
    assert name_in(sign_in(browser)) == name
    user = site.database(lambda: get_user_model().objects.get(username=name))
    assert user.check_password("a-password-that-stays")


@pytest.mark.parametrize("verified", [False, "false", None, 1, "true", [True], {}])
def test_an_address_that_is_not_verified_does_not(
    browser: httpx.Client, person: dict[str, Any], account: Account, verified: Any
) -> None:
    account(f"had-{person['sub']}", email=person["email"])
    person["email_verified"] = verified
    page = sign_in(browser)
    assert page.url.path == IN and name_in(page) is None
    assert "An account here has your address already" in page.text


def test_an_account_with_the_same_name_stays_whose_it_is(
    browser: httpx.Client, person: dict[str, Any], account: Account
) -> None:
    account(person["sub"])
    name = name_in(sign_in(browser))
    assert name is not None and name != person["sub"]


ODD_ADDRESSES = [
    *("x@example.net", "x@sub.example.com", "", None, ["x@example.com"], {"a": 1}),
    *("x@evil.org,y@example.com", "x@evil.org\n@example.com", "x@ex\u00e4mple.com"),
]


def test_other_domains_and_what_is_not_one_address_stay_out(
    browser: httpx.Client, person: dict[str, Any]
) -> None:
    for address in ODD_ADDRESSES:
        person["email"] = address
        page = sign_in(browser)
        assert (page.status_code, page.url.path, name_in(page)) == (200, IN, None), address


def test_an_account_that_is_not_active_stays_out(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any], account: Account
) -> None:
    account(f"had-{person['sub']}", email=person["email"], is_active=False)
    page = sign_in(browser)
    assert name_in(page) is None and "may not use this gateway" in page.text


def test_a_provider_that_goes_down_is_told_and_passwords_go_on(
    browser: httpx.Client, provider: OpenIdProvider, person: dict[str, Any]
) -> None:
    back = httpx.get(onward(begin(browser))).headers["location"]
    provider.is_down = True
    page = browser.get(back)
    assert page.status_code == 200 and page.url.path == IN
    assert "Signing in with Example &amp; Co failed" in page.text
    assert 'name="password"' in page.text


def test_what_the_provider_says_of_itself_is_asked_once_in_a_while(
    browser: httpx.Client, provider: OpenIdProvider, person: dict[str, Any]
) -> None:
    sign_in(browser)
    provider.asked_for.clear()
    for _ in range(3):
        browser.cookies.clear()
        sign_in(browser)
    assert provider.asked_for.count("/userinfo") == 3
    assert not [path for path in provider.asked_for if "configuration" in path]


def test_an_answer_without_a_subject_is_a_failure_and_no_crash(
    browser: httpx.Client, person: dict[str, Any]
) -> None:
    del person["sub"]
    page = sign_in(browser)
    assert (page.status_code, page.url.path) == (200, IN)
    assert "failed" in page.text


@pytest.mark.parametrize(
    "query", ["", "?code=x", "?code=x&state=y", "?error=access_denied", "?%00"]
)
def test_a_made_up_way_back_signs_nobody_in(browser: httpx.Client, query: str) -> None:
    page = browser.get(BACK + query)
    assert (page.status_code, page.url.path) == (200, IN)
    assert name_in(page) is None


def test_a_way_back_is_good_in_one_browser_only(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any]
) -> None:
    back = httpx.get(onward(begin(browser))).headers["location"]
    with httpx.Client(follow_redirects=True) as other:
        assert name_in(other.get(back)) is None


def test_it_begins_with_a_form_of_the_gateways_own(browser: httpx.Client) -> None:
    assert browser.get(START).status_code == 405
    assert browser.post(START).status_code == 403


def test_nothing_else_of_allauth_is_there(browser: httpx.Client) -> None:
    paths = ("signup/", "email/", "3rdparty/", "password/reset/", "inactive/", "oidc/sso/login/")
    assert {browser.get(f"/accounts/{path}").status_code for path in paths} == {404}


# --- Whose address it is ----------------------------------------------------------------------


def user_of(site: GatewayProcess, name: str | None) -> Any:
    return site.database(lambda: get_user_model().objects.get(username=name))


def coming_to(
    site: GatewayProcess, provider: OpenIdProvider, person: dict[str, Any]
) -> httpx.Response:
    """What somebody sees in a browser of their own after signing in."""
    provider.person = person
    with httpx.Client(base_url=site.url, timeout=30, follow_redirects=True) as http:
        return sign_in(http)


@pytest.mark.parametrize("verified", [False, None, "false", "true", 1, 0])
def test_of_a_domain_only_those_come_whose_address_is_verified(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any], verified: Any
) -> None:
    if verified is None:
        del person["email_verified"]
    else:
        person["email_verified"] = verified
    page = sign_in(browser)
    assert name_in(page) is None and "does not say that your address is verified" in page.text
    missing = get_user_model().objects.filter(username=person["sub"])
    assert not site.database(missing.exists)


def test_who_lost_the_verification_is_out_too(
    browser: httpx.Client, person: dict[str, Any]
) -> None:
    assert name_in(sign_in(browser)) == person["sub"]
    browser.cookies.clear()
    person["email_verified"] = False
    assert name_in(sign_in(browser)) is None


def test_an_unverified_address_is_kept_nowhere_and_leads_nobody_in(
    open_site: GatewayProcess, provider: OpenIdProvider, person: dict[str, Any], browser: Any
) -> None:
    mallory = somebody(email=person["email"], email_verified=False)
    assert name_in(coming_to(open_site, provider, mallory)) == mallory["sub"]
    assert user_of(open_site, mallory["sub"]).email == ""
    assert name_in(coming_to(open_site, provider, person)) == person["sub"]
    assert user_of(open_site, person["sub"]).email == person["email"]
    # Each is who they are, and nobody else.
    assert name_in(coming_to(open_site, provider, mallory)) == mallory["sub"]


def test_an_unverified_address_of_an_earlier_release_leads_nobody_in(
    browser: httpx.Client, site: GatewayProcess, person: dict[str, Any], account: Account
) -> None:
    squatter = account(f"had-{person['sub']}", email=person["email"])
    site.database(lambda: addresses(squatter, person["email"]))
    assert name_in(sign_in(browser)) == person["sub"]


def addresses(user_id: int, address: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO account_emailaddress (user_id, email, verified, "
            '"primary") VALUES (%s, %s, %s, %s)',
            [user_id, address, False, True],
        )


def test_an_address_that_went_over_to_somebody_new_does_not_bring_the_account_along(
    site: GatewayProcess, provider: OpenIdProvider, person: dict[str, Any], browser: Any
) -> None:
    assert name_in(coming_to(site, provider, person)) == person["sub"]
    page = coming_to(site, provider, somebody(email=person["email"]))
    assert name_in(page) is None and "by another identity than yours" in page.text


def test_an_address_moves_with_its_person(
    site: GatewayProcess, provider: OpenIdProvider, person: dict[str, Any], browser: Any
) -> None:
    old, new = person["email"], f"married-{person['email']}"
    coming_to(site, provider, person)
    assert name_in(coming_to(site, provider, {**person, "email": new})) == person["sub"]
    assert user_of(site, person["sub"]).email == new
    successor = somebody(email=old)
    assert name_in(coming_to(site, provider, successor)) == successor["sub"]
    # Who has it keeps it.
    taken = {**person, "email": old}
    assert name_in(coming_to(site, provider, taken)) == person["sub"]
    assert user_of(site, person["sub"]).email == new


def test_an_address_that_two_accounts_have_leads_to_neither(
    browser: httpx.Client, person: dict[str, Any], account: Account
) -> None:
    for name in ("one", "two"):
        account(f"{name}-{person['sub']}", email=person["email"])
    assert name_in(sign_in(browser)) is None


# --- Whose identity it is ---------------------------------------------------------------------


def test_another_issuer_s_sub_is_another_person(
    site: GatewayProcess,
    provider: OpenIdProvider,
    moved_site: GatewayProcess,
    other_provider: OpenIdProvider,
    person: dict[str, Any],
    browser: Any,
) -> None:
    person["sub"] = "1"
    erin = person["preferred_username"]
    assert name_in(coming_to(site, provider, person)) == erin
    mallory = somebody(sub="1")
    assert name_in(coming_to(moved_site, other_provider, mallory)) == mallory["preferred_username"]
    # Their address, verified, is what brings a person over to another issuer.
    moved = {**person, "sub": "17"}
    assert name_in(coming_to(moved_site, other_provider, moved)) == erin
    assert name_in(coming_to(site, provider, person)) == erin


@pytest.mark.parametrize(
    ("verified", "is_in"),
    [(None, True), ("true", True), (True, True), (False, False), ("false", False), (0, False)],
)
def test_an_operator_s_word_stands_for_a_claim_that_is_missing(
    moved_site: GatewayProcess,
    other_provider: OpenIdProvider,
    account: Account,
    person: dict[str, Any],
    browser: Any,
    verified: Any,
    is_in: bool,
) -> None:
    name = f"had-{person['sub']}"
    account(name, email=person["email"])
    gina = somebody(email=person["email"], email_verified=verified)
    if verified is None:
        del gina["email_verified"]
    assert (name_in(coming_to(moved_site, other_provider, gina)) == name) is is_in


@pytest.mark.parametrize("identity", [None, {"sub": "somebody else"}, {"sub": ""}])
def test_without_an_id_token_of_the_same_person_nobody_is_known(
    browser: httpx.Client, provider: OpenIdProvider, person: dict[str, Any], identity: Any
) -> None:
    sign_in(browser)
    browser.cookies.clear()
    provider.identity = identity
    page = sign_in(browser)
    assert name_in(page) is None and "failed" in page.text


def test_a_sub_too_long_to_keep_is_a_failure_and_no_crash(
    browser: httpx.Client, person: dict[str, Any]
) -> None:
    person["sub"] = "s" * 300
    page = sign_in(browser)
    assert (page.status_code, page.url.path) == (200, IN)


@pytest.mark.parametrize("odd", [7, ["x"], {"a": 1}, True, "\x00", "x" * 5000, "\ud800"])
def test_odd_names_are_left_out_or_told_and_no_crash(
    browser: httpx.Client, person: dict[str, Any], odd: Any
) -> None:
    person |= {"preferred_username": odd, "name": odd, "given_name": odd, "family_name": odd}
    assert sign_in(browser).status_code == 200


def test_nobody_gets_the_name_of_the_account_of_the_commands(
    browser: httpx.Client, person: dict[str, Any]
) -> None:
    person["preferred_username"] = "manage.py"
    assert name_in(sign_in(browser)) not in (None, "manage.py")


def test_operators_find_identities_in_the_admin_and_part_with_them(
    site: GatewayProcess,
    provider: OpenIdProvider,
    moved_site: GatewayProcess,
    other_provider: OpenIdProvider,
    person: dict[str, Any],
    browser: httpx.Client,
) -> None:
    # Of an issuer that this gateway does not ask any more.
    coming_to(moved_site, other_provider, person)
    operator = site.database(
        lambda: get_user_model().objects.create_superuser(f"operator-{person['sub']}")
    )
    browser.cookies.set(settings.SESSION_COOKIE_NAME, site.session_of(operator))
    listed = browser.get("/admin/socialaccount/socialaccount/", params={"q": person["sub"]})
    assert listed.status_code == 200 and other_provider.issuer in listed.text
    assert 'href="/admin/socialaccount/socialaccount/"' in browser.get("/admin/").text
    [pk] = set(re.findall(r"/admin/socialaccount/socialaccount/(\d+)/change/", listed.text))
    page = f"/admin/socialaccount/socialaccount/{pk}/"
    assert f"{person['sub']} at {other_provider.issuer}" in browser.get(page + "change/").text
    sure = {"post": "yes", "csrfmiddlewaretoken": csrf(browser)}
    assert "was deleted" in browser.post(page + "delete/", data=sure).text
    # With its address the person is the same account as before, by another identity.
    assert name_in(coming_to(site, provider, {**person, "sub": "new"})) == person["sub"]
    account = user_of(site, person["sub"])
    deleting = browser.get(f"/admin/auth/user/{account.pk}/delete/")
    assert deleting.status_code == 200 and f"new at {provider.issuer}" in deleting.text


# --- Groups, and no passwords -------------------------------------------------------------------


@pytest.fixture(scope="module")
def grouped_site(beside: Callable[..., GatewayProcess]) -> GatewayProcess:
    return beside(
        OIDC_SCOPES="groups",
        OIDC_OPERATOR_GROUPS="platform",
        OIDC_TEAM_GROUPS="ai-users=research",
        OIDC_ONLY="true",
    )


def test_groups_make_operators_and_members_at_each_sign_on_anew(
    grouped_site: GatewayProcess, provider: OpenIdProvider, person: dict[str, Any]
) -> None:
    site, name = grouped_site, person["sub"]
    provider.person = {**person, "groups": ["platform", "ai-users"]}
    with httpx.Client(base_url=site.url, timeout=30, follow_redirects=True) as http:
        # From the admin's own page, back to where one wanted to go.
        asked = http.get("/admin/keys/team/")
        assert "Sign in with" in asked.text and 'name="password"' not in asked.text
        [onto] = re.findall(r'name="next" value="([^"]*)"', asked.text)
        going = http.post(START, data={"csrfmiddlewaretoken": csrf(http), "next": onto})
        address = onward(going)
        assert "groups" in httpx.URL(address).params["scope"].split()
        page = http.get(address)
        assert page.url.path == "/admin/keys/team/" and "research" in page.text
        # In another browser the person comes without groups: the role is gone in both.
        person["groups"] = "platform"
        coming_to(site, provider, person)
        assert "may not open the admin" in http.get("/admin/keys/team/").text
    account = user_of(site, name)
    assert not (account.is_staff or account.is_superuser)
    assert not site.database(lambda: Membership.objects.filter(user=account).exists())


def test_passwords_are_off_where_only_the_provider_counts(
    grouped_site: GatewayProcess, site: GatewayProcess
) -> None:
    hashed = make_password("a password of theirs", hasher="pbkdf2_sha256")
    root = site.database(
        lambda: get_user_model().objects.create(
            username="root-by-hand", password=hashed, is_staff=True, is_superuser=True
        )
    )
    form = {"username": "root-by-hand", "password": "a password of theirs"}
    with httpx.Client(base_url=grouped_site.url, timeout=30, follow_redirects=True) as http:
        for page in (IN, "/admin/login/"):
            assert 'name="password"' not in http.get(page).text
            refused = http.post(page, data={**form, "csrfmiddlewaretoken": csrf(http)})
            assert "Passwords are turned off here." in refused.text and name_in(refused) is None
        # Nor does a session go on that began with one.
        http.cookies.set(settings.SESSION_COOKIE_NAME, site.session_of(root))
        assert http.get("/usage/").url.path == IN


# --- What anybody can ask for -----------------------------------------------------------------


def sessions(site: GatewayProcess) -> int:
    return site.database(Session.objects.count)


def forget_starts(site: GatewayProcess) -> None:
    site.database(lambda: FailedSignIns.objects.all().delete())


def test_ways_out_that_nobody_comes_back_by_are_bounded_by_address(
    site: GatewayProcess, browser: httpx.Client, person: dict[str, Any]
) -> None:
    forget_starts(site)
    before, statuses = sessions(site), []
    for _ in range(23):
        browser.cookies.clear()
        statuses.append(begin(browser).status_code)
    assert statuses == [200] * 20 + [429] * 3
    assert sessions(site) - before == 20
    refused = begin(browser)
    assert "Wait 5 minutes" in refused.text and f'href="{IN}"' in refused.text
    assert int(refused.headers["retry-after"]) > 200
    # Passwords have counts of their own.
    form = {"username": "x", "password": "y", "csrfmiddlewaretoken": csrf(browser)}
    assert browser.post(IN, data=form).status_code == 200
    forget_starts(site)


def test_who_comes_back_counts_no_more_let_in_or_not(
    site: GatewayProcess, browser: httpx.Client, person: dict[str, Any]
) -> None:
    forget_starts(site)
    for address in (person["email"], "x@example.net"):
        browser.cookies.clear()
        sign_in(browser)
        person["email"] = address
    assert site.database(lambda: FailedSignIns.objects.get().count) == 0


def test_a_session_that_nobody_signed_in_with_ends_in_minutes(
    site: GatewayProcess, browser: httpx.Client, person: dict[str, Any]
) -> None:
    def left_s() -> float:
        key = browser.cookies[settings.SESSION_COOKIE_NAME]
        session = site.database(lambda: Session.objects.get(pk=key))
        return (session.expire_date - timezone.now()).total_seconds()

    page = begin(browser)
    assert 0 < left_s() <= 600
    browser.get(onward(page))
    assert left_s() > 86_400


def test_who_turns_to_a_password_on_the_way_stays_as_long_as_others(
    site: GatewayProcess, browser: httpx.Client, person: dict[str, Any]
) -> None:
    # Hashed as gateways do, and not as tests.
    hashed = make_password("a password of theirs", hasher="pbkdf2_sha256")
    site.database(lambda: get_user_model().objects.create(username=person["sub"], password=hashed))
    begin(browser)
    form = {"username": person["sub"], "password": "a password of theirs"}
    page = browser.post(IN, data={**form, "csrfmiddlewaretoken": csrf(browser)})
    assert name_in(page) == person["sub"]
    key = browser.cookies[settings.SESSION_COOKIE_NAME]
    session = site.database(lambda: Session.objects.get(pk=key))
    assert (session.expire_date - timezone.now()).days > 10


def test_a_made_up_way_back_makes_no_session(site: GatewayProcess, browser: httpx.Client) -> None:
    before = sessions(site)
    for number in range(5):
        browser.cookies.clear()
        browser.get(f"{BACK}?code=x&state={number}")
    assert sessions(site) == before


def test_a_provider_that_says_nothing_holds_up_nobody_else(
    beside: Callable[..., GatewayProcess], browser: httpx.Client
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        gateway = beside(OIDC_ISSUER=f"http://127.0.0.1:{silent.getsockname()[1]}")
        forget_starts(gateway)
        with ThreadPoolExecutor(12) as pool:
            waiting = [pool.submit(one_start, gateway) for _ in range(12)]
            for _ in range(5):
                assert httpx.get(gateway.url + IN, timeout=30).status_code == 200
            assert all("failed" in page.result() for page in waiting)


def one_start(gateway: GatewayProcess) -> str:
    with httpx.Client(base_url=gateway.url, timeout=60, follow_redirects=True) as http:
        return begin(http).text
