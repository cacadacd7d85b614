"""What all pages draw from is in one file, and nothing is drawn from elsewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TOKENS = ROOT / "theme/static/theme/tokens.css"
SHEETS = sorted(
    sheet
    for app in ("theme", "keys", "catalog", "proxysite")
    for sheet in (ROOT / app).glob("static/**/*.css")
)


def without_comments(sheet: Path) -> str:
    return re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("sheet", [s for s in SHEETS if s != TOKENS], ids=lambda sheet: sheet.name)
def test_only_the_tokens_name_colours(sheet: Path) -> None:
    values = re.findall(r"[\w-]+:\s*([^;{}]+);", without_comments(sheet))
    named = [v for v in values if re.search(r"#[0-9a-fA-F]{3,8}\b|\b(rgb|hsl|oklch)\(", v)]
    assert named == []


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_what_is_drawn_from_is_a_token(sheet: Path) -> None:
    used = set(re.findall(r"var\((--[\w-]+)", without_comments(sheet)))
    assert used <= set(re.findall(r"(--[\w-]+):", without_comments(TOKENS)))
