"""How long a model's vectors are, where the catalog does not say, and whether they may be
shortened. Data and a look-up, pure.

A vector may be shortened where the model was trained for it (matryoshka representations): its first
numbers are then a good vector by themselves. In other models they are not. Source: the models' own
pages (read up to October 2026).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """`shortest`: the fewest dimensions that a vector may be cut to; None where it may not."""

    dimensions: int | None = None
    shortest: int | None = None


UNKNOWN = Family()

# The first entry whose word occurs in the model's name counts.
FAMILIES: tuple[tuple[str, Family], ...] = (
    ("qwen3-embedding-0.6b", Family(1024, shortest=32)),
    ("embeddinggemma", Family(768, shortest=128)),
    ("bge-small", Family(384)),
    ("bge-base", Family(768)),
    ("bge-large", Family(1024)),
    ("bge-m3", Family(1024)),
    ("plamo-embedding-1b", Family(2048)),
)


def family_of(model: str) -> Family:
    """The family of a model by its name."""
    name = model.lower()
    for word, family in FAMILIES:
        if word in name:
            return family
    return UNKNOWN
