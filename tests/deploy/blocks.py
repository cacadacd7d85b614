"""The blocks of docs/deploying.md, as an operator copies them."""

import re
from functools import cache

from tests.needs import ROOT


@cache
def block(info: str) -> str:
    """The one block with this info string."""
    page = (ROOT / "docs" / "deploying.md").read_text()
    [text] = re.findall(rf"^```{re.escape(info)}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(text)


def replaced(text: str, pairs: dict[str, str]) -> str:
    """`text` with what a test has in the place of an example; each must be there."""
    for old, new in pairs.items():
        assert old in text, f"{old} is not in the block"
        text = text.replace(old, new)
    return text
