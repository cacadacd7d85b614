"""Llama Guard's hazards → OpenAI's moderation categories. Data and a look-up, pure.

OpenAI has thirteen categories and the guard model fourteen hazards, which do not match one to one.
A hazard without a category of OpenAI's counts as `illicit`, so that a caller who reads only the
categories sees it too.
"""

from collections.abc import Iterable

CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening"),
    *("illicit", "illicit/violent", "self-harm", "self-harm/intent", "self-harm/instructions"),
    *("sexual", "sexual/minors", "violence", "violence/graphic"),
)

BY_HAZARD: dict[str, tuple[str, ...]] = {
    "S1": ("violence", "illicit", "illicit/violent"),  # violent crimes
    "S2": ("illicit",),  # other crimes
    "S3": ("sexual", "illicit"),  # crimes of a sexual kind
    "S4": ("sexual", "sexual/minors"),  # exploitation of children
    "S5": ("harassment",),  # defamation
    "S6": ("illicit",),  # advice that belongs to specialists
    "S7": ("illicit",),  # privacy
    "S8": ("illicit",),  # intellectual property
    "S9": ("illicit", "illicit/violent", "violence"),  # weapons of mass destruction
    "S10": ("hate",),
    "S11": ("self-harm",),
    "S12": ("sexual",),
    "S13": ("illicit",),  # elections
    "S14": ("illicit",),  # abuse of a code interpreter
}


def categories_of(hazards: Iterable[str]) -> frozenset[str]:
    return frozenset(name for hazard in hazards for name in BY_HAZARD.get(hazard, ("illicit",)))
