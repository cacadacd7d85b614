"""axe-core in the page: what a screen reader, a keyboard or weak eyes would stumble over."""

from typing import Any

from playwright.sync_api import Page

from tests.needs import node_package

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def serious_problems(page: Page) -> list[str]:
    """The serious and critical violations of the page, one line each: in its light colours, and of
    its contrast in the dark ones."""
    page.evaluate((node_package("axe-core") / "axe.min.js").read_text())
    problems = []
    for scheme, rules in (("light", STANDARDS), ("dark", ["color-contrast"])):
        page.emulate_media(color_scheme=scheme)
        found: dict[str, Any] = page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
        )
        problems += [
            f"{page.url} ({scheme}): {violation['id']}: {violation['nodes'][0]['html'][:160]}"
            for violation in found["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
    return problems
