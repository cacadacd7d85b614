"""Whether the account may use a model: what refusals and answers taught, for all workers.

It stands in no list of Cloudflare's: terms that were never accepted and access that is granted by
request are only seen when a model refuses.
"""

from django.db.models import Q

from catalog.models import OPEN, CatalogModel

LONGEST_WORDS = 300


def note(name: str, access: str, words: str) -> None:
    """Marks a model, once: the mark reaches every worker as any change of the catalog."""
    row = CatalogModel.objects.filter(~Q(access=access), name=name)
    row.update(access=access, access_words=words[:LONGEST_WORDS])


def clear(name: str) -> None:
    """The model answered: the account may use it."""
    CatalogModel.objects.filter(~Q(access=OPEN), name=name).update(access=OPEN, access_words="")
