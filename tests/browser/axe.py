"""axe-core in the page: what a screen reader, a keyboard or weak eyes would stumble over."""

from typing import Any

from playwright.sync_api import Page

from tests.needs import node_package

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SERIOUS = ("serious", "critical")


def violations(page: Page, rules: list[str] = STANDARDS) -> list[str]:
    """The serious and critical violations of the page as it looks now, one line each."""
    # Evaluated and not added as a script, which the page's policy forbids.
    page.evaluate((node_package("axe-core") / "axe.min.js").read_text())
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations'], preload: false})",
        rules,
    )
    return [
        f"{page.url}: {one['id']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]


def serious_problems(page: Page) -> list[str]:
    """Those of the page in its light colours, and of its contrast in the dark ones."""
    problems = []
    for scheme, rules in (("light", STANDARDS), ("dark", ["color-contrast"])):
        page.emulate_media(color_scheme=scheme)
        problems += [f"({scheme}) {problem}" for problem in violations(page, rules)]
    return problems
