"""An operator's day in the admin: issue a key, see it used, revoke it; switch models."""

from datetime import date, timedelta

import httpx
from playwright.sync_api import Page, expect

from tests.gateway import GatewayProcess

MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


def issue(page: Page, name: str) -> str:
    """Issues a key for the operator in the form; the key's text as the page shows it."""
    page.goto("/admin/keys/key/add/")
    page.fill("#id_name", name)
    page.select_option("#id_owner", label="browser")
    page.click("button[name=_save]")
    return page.input_value("#issued-key")


def chat(gateway: GatewayProcess, key: str, session: str = "") -> httpx.Response:
    return httpx.post(
        gateway.url + "/v1/chat/completions",
        headers={"authorization": f"Bearer {key}", "x-session-id": session},
        json={"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]},
        timeout=30,
    )


def test_a_key_is_issued_used_seen_and_revoked(gateway: GatewayProcess, page: Page) -> None:
    key = issue(page, "day of an operator")
    answer = chat(gateway, key)
    assert answer.status_code == 200

    page.goto("/admin/keys/requestlog/")
    page.fill("#searchbar", answer.headers["x-request-id"])
    page.press("#searchbar", "Enter")
    row = page.locator("#result_list tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("day of an operator")
    expect(row).to_contain_text(MODEL)

    page.goto("/admin/keys/key/?q=day+of+an+operator")
    expect(page.locator("#result_list")).not_to_contain_text(key)
    page.click("#result_list tbody tr:first-child th a")
    page.click("a:text-is('Revoke')")
    page.click("button:text-is('Revoke this key')")
    gateway.wait_until(lambda: chat(gateway, key).status_code == 401, "the key is out of use")


def test_a_key_is_shown_once(page: Page) -> None:
    key = issue(page, "shown once")
    assert key.startswith("sk-wai-")
    page.reload()
    assert key not in page.content()
    page.goto("/admin/keys/key/?q=shown+once")
    page.click("#result_list tbody tr:first-child th a")
    assert key not in page.content()


def test_a_model_is_switched_off_and_on(gateway: GatewayProcess, page: Page) -> None:
    key = gateway.issue_key()
    name = "@cf/meta/llama-4-scout-17b-16e-instruct"

    def listed() -> bool:
        models = httpx.get(gateway.url + "/v1/models", headers={"x-api-key": key}).json()["data"]
        return any(model["id"] == name for model in models)

    assert listed()
    for action, expected in (("disable", False), ("enable", True)):
        page.goto("/admin/catalog/catalogmodel/?q=llama-4-scout")
        page.check("#result_list tbody tr:first-child input.action-select")
        page.select_option("select[name=action]", action)
        page.click("button[name=index]")
        gateway.wait_until(lambda want=expected: listed() is want, f"{action} is in force")


def test_the_catalog_is_refreshed_by_a_button(page: Page) -> None:
    page.goto("/admin/catalog/catalogmodel/")
    page.click("text=Refresh now")
    expect(page.locator("#main")).to_contain_text("models listed")


def test_a_limit_of_some_models_is_added_asked_more_of_and_granted(
    gateway: GatewayProcess, page: Page
) -> None:
    key, _ = gateway.issue("of some models", owner="browser")
    page.goto(f"/admin/keys/key/{key.pk}/change/")
    table = page.locator("#limits_of_key-group")
    table.get_by_role("link", name="Add another Limit").click()
    for number, (amount, kind, models) in enumerate(
        [("500", "rpd", MODEL), ("7", "weekly-usd", "@cf/meta/* @cf/openai/*")]
    ):
        line = f"#id_limits_of_key-{number}"
        page.fill(f"{line}-at_most", amount)
        page.select_option(f"{line}-kind", kind)
        page.fill(f"{line}-models", models)
    page.click("button[name=_continue]")
    expect(table).to_contain_text("0 of 500")
    expect(table).to_contain_text("$0 of $7.00")

    page.goto(f"/keys/{key.pk}/")
    expect(page.locator("main")).to_contain_text("0 of 500")
    page.click("main >> text=Ask for more")
    page.select_option("#id_limit", label=f"500 requests per day for {MODEL} (this key)")
    page.fill("#id_more", "100")
    page.fill("#id_last_day", f"{date.today() + timedelta(days=7)}")
    page.fill("#id_why", "a launch")
    page.click("button:text-is('Ask')")
    expect(page.locator("main")).to_contain_text(f"100 more requests per day for {MODEL}")

    page.goto("/admin/keys/raiserequest/")
    page.locator("#result_list tbody tr", has_text="a launch").get_by_text("Grant").click()
    expect(page.locator("#main")).to_contain_text("is granted")
    page.goto(f"/admin/keys/key/{key.pk}/change/")
    expect(table).to_contain_text("0 of 600")
    expect(table).to_contain_text("raised from 500")
