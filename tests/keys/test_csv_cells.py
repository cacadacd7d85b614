"""No cell of an export is a formula, in whichever way a spreadsheet takes the file apart."""

import csv
import io
import itertools
import re
import unicodedata

import pytest

from keys.csv_cells import cell

UNSEEN = [
    "",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\u00a0",
    "\u200b",
    "\ufeff",
    "\u2060",
    "\u3000",
    "\x00",
    "\xad",
]
FORMULAS = ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66", "\u2212"]


def first_seen(text: str) -> str:
    """As a spreadsheet may read a cell: trimmed, without what has no width, in plain width."""
    seen = (c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Zs", "Zl", "Zp"))
    return unicodedata.normalize("NFKC", next((c for c in seen if c != '"'), ""))


def written(text: str) -> str:
    file = io.StringIO()
    csv.writer(file).writerow(["2027-01-01", cell(text), "last"])
    return file.getvalue()


@pytest.mark.parametrize("formula", FORMULAS)
def test_what_begins_like_a_formula_is_marked(formula: str) -> None:
    for unseen in UNSEEN:
        assert cell(f"{unseen}{formula}HYPERLINK(1)").startswith("'")
        assert cell(f"{unseen}{unseen}\u200d{formula}1").startswith("'")


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("between", [";", ";;", "\t", "\n", "\r", "; ", ';"', "\u2028", "\uff1b"])
def test_no_piece_of_a_split_line_is_a_formula(between: str, formula: str) -> None:
    for unseen, begin in itertools.product(UNSEEN, ["x", ""]):
        line = written(f"{begin}{between}{unseen}{formula}cmd|' /C calc'!A0")
        for piece in re.split("[;\uff1b\t\n\r\u2028]", line):
            assert first_seen(piece) not in ("=", "+", "-", "@", "\u2212"), (piece, line)


def test_what_a_reader_takes_off_first_is_marked_by_itself() -> None:
    assert [cell(text) for text in ("\tx", "\rx", "\nx")] == ["'\tx", "'\rx", "'\nx"]


@pytest.mark.parametrize(
    "text",
    [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        "a=b",
        "ada@example.com",
        "@cf/meta/llama"[1:],
        "12-13",
        "\u65e5\u672c\u8a9e",
        "",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


def test_numbers_are_numbers() -> None:
    assert [cell(value) for value in (-5, 1.5, True, None, {"a": 1})] == [
        *("-5", "1.5", "true", "", '{"a": 1}')
    ]


def test_a_long_text_costs_one_look_at_each_character() -> None:
    # One more look for each would take hours.
    assert cell(";\t " * 300_000 + "=").endswith("'=")
