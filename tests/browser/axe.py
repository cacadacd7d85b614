"""axe-core in the page: what a screen reader, a keyboard or weak eyes would stumble over."""

from playwright.sync_api import Page

from tests.needs import node_package

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SERIOUS = ["serious", "critical"]
# Only what is told of them: the whole of what axe found takes as long to come out of the browser as
# to find.
FIND = """
async ([rules, serious]) => {
    const options = {runOnly: rules, resultTypes: ["violations"], preload: false};
    const {violations} = await axe.run(document, options);
    return violations
        .filter(one => serious.includes(one.impact))
        .map(one => [one.id, one.nodes.slice(0, 3).map(node => node.html.slice(0, 160))]);
}
"""


def violations(page: Page, rules: list[str] = STANDARDS) -> list[str]:
    """The serious and critical violations of the page as it looks now, one line each."""
    if not page.evaluate("'axe' in window"):
        # Evaluated and not added as a script, which the page's policy forbids.
        page.evaluate((node_package("axe-core") / "axe.min.js").read_text())
    found: list[tuple[str, list[str]]] = page.evaluate(FIND, [rules, SERIOUS])
    return [f"{page.url}: {rule}: {shown}" for rule, shown in found]


def serious_problems(page: Page) -> list[str]:
    """Those of the page in its light colours, and of its contrast in the dark ones."""
    problems = []
    for scheme, rules in (("light", STANDARDS), ("dark", ["color-contrast"])):
        page.emulate_media(color_scheme=scheme)
        problems += [f"({scheme}) {problem}" for problem in violations(page, rules)]
    return problems
