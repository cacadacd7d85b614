"""Which form of `json_schema` a model takes: the bare schema, or OpenAI's envelope around it.

Cloudflare's own clients send the bare schema to every model of its own, yet some models refuse it
because they miss the envelope's `name`. Nothing in the catalog tells which, so the refusal
teaches it, once a process and model.
"""

from workers_ai.errors import BadInput

_enveloped: set[str] = set()


def is_enveloped(model: str) -> bool:
    """Whether this model was seen to want the envelope."""
    return model in _enveloped


def learn(model: str, error: BadInput) -> bool:
    """Takes in a refusal; True when it says that the model wants the envelope, and that is new."""
    says_so = "json_schema" in error.message and "name" in error.message
    if not says_so or model in _enveloped:
        return False
    _enveloped.add(model)
    return True
