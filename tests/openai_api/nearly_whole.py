"""Objects that are mostly whole, and seldom spoilt in one field: for properties of shortcuts."""

from typing import Any

from hypothesis import strategies as some

Json = dict[str, Any]

UNSPOILT = 24
odd = some.sampled_from([None, "", 5, [], {}])


def an_object(**fields: Any) -> some.SearchStrategy[Json]:
    """Mostly with all of the fields as they should be; a text stands for itself."""
    whole = some.fixed_dictionaries(
        {name: some.just(one) if isinstance(one, str) else one for name, one in fields.items()}
    )
    return some.builds(
        spoilt, whole, some.sampled_from(list(fields)), odd, some.integers(0, UNSPOILT)
    )


def spoilt(one: Json, name: str, value: Any, how: int) -> Json:
    """Seldom without a field, or with another value of it."""
    if how == 0:
        return {n: one[n] for n in one if n != name}
    return {**one, name: value} if how == 1 else one


words = some.sampled_from(["a", "b"])
