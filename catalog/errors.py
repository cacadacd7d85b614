"""What the catalog refuses. It knows no HTTP; the API layer maps the tree to its own words.

CatalogError
├── CatalogEmpty
├── ModelUnavailable
│   ├── ModelNotFound
│   ├── AmbiguousName
│   ├── ModelRetired
│   ├── ModelDisabled
│   └── UnpricedModel
├── ModelNotAllowed
├── WrongEndpoint
├── NotRunnable
│   └── NeedsInputImage
└── RefreshFailed
    ├── UpstreamFailed
    └── AnswerRefused
"""

from collections.abc import Collection


class CatalogError(Exception):
    """Anything the catalog refuses."""


class CatalogEmpty(CatalogError):
    """No model is known yet: the catalog has never been refreshed."""

    def __init__(self) -> None:
        super().__init__("The model catalog is empty: it has not been refreshed yet.")


class ModelUnavailable(CatalogError):
    """The message is the same for each subclass: callers learn no more than from the list."""

    def __init__(self, name: str, near: Collection[str] = ()) -> None:
        self.name = name
        self.near = tuple(near)
        hint = f" Close to it: {', '.join(self.near)}." if self.near else ""
        super().__init__(f"The model `{shown(name)}` does not exist.{hint}")


class ModelNotFound(ModelUnavailable):
    """Neither a model of the catalog nor an alias has this name."""


class AmbiguousName(ModelUnavailable):
    """A shorter name that several models have; `near` are their own names."""

    def __init__(self, name: str, near: Collection[str]) -> None:
        super().__init__(name, near)
        self.args = (
            f"The model `{shown(name)}` does not exist, and several names end so: "
            f"{', '.join(self.near)}. Use one of them in full.",
        )


class ModelRetired(ModelUnavailable):
    """Cloudflare no longer lists the model."""


class ModelDisabled(ModelUnavailable):
    """An operator switched the model off."""


class UnpricedModel(ModelUnavailable):
    """Nobody knows what the model costs, and ALLOW_UNPRICED_MODELS is off."""


class ModelNotAllowed(CatalogError):
    """The model exists, but this key may not use it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"This key may not use the model `{shown(name)}`.")


class WrongEndpoint(CatalogError):
    """The model runs, but not through this endpoint."""

    def __init__(self, name: str, endpoint: str, served_by: Collection[str]) -> None:
        self.name = name
        self.endpoint = endpoint
        self.served_by = tuple(sorted(served_by))
        where = " or ".join(self.served_by) if self.served_by else "no endpoint"
        super().__init__(
            f"The model `{shown(name)}` cannot be used for {endpoint}: it is served by {where}."
        )


class NotRunnable(CatalogError):
    """The model is of the right kind for the endpoint, yet cannot be run through it."""

    def __init__(
        self, name: str, endpoint: str, reason: str, *, instead: Collection[str] = ()
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self.reason = reason
        text = f"The model `{shown(name)}` cannot be used for {endpoint}: {reason}."
        if instead:
            text += f" Use {' or '.join(f'`{shown(other)}`' for other in instead)}."
        super().__init__(text)


class NeedsInputImage(NotRunnable):
    """The model makes pictures out of pictures, and this endpoint sends none."""


class RefreshFailed(CatalogError):
    """The catalog was not refreshed; what was stored stays as it was."""


class UpstreamFailed(RefreshFailed):
    """Cloudflare did not give the list of models or their schemas."""


class AnswerRefused(RefreshFailed):
    """The list came but is not complete: empty, or much shorter than the stored one."""


def shown(name: str, longest: int = 120) -> str:
    """The name as an error may quote it: bounded, and on one line."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return text if len(text) <= longest else f"{text[:longest]}…"
