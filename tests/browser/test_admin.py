"""An operator's day in the admin: issue a key, see it used, revoke it; switch models."""

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
