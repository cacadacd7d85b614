"""What the examples on pages are filled in with: the page's own address, and models that suit."""

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.module_loading import import_string

from keys.model_patterns import matches_any
from keys.models import Key
from keys.snippet import PLACEHOLDER, USUAL_AGENT_MODEL, Model, Target


def target(request: HttpRequest, key: Key, model_name: str, text: str = PLACEHOLDER) -> Target:
    """`model_name` is for what only chats; `text` is the key's, where it may be shown."""
    origin = request.build_absolute_uri(reverse("member:home")).rstrip("/")
    model = Model(model_name, USUAL_AGENT_MODEL.context_tokens)
    return Target(origin, text, model, _agent_model(key))


def _agent_model(key: Key) -> Model:
    patterns = tuple(key.allowed_models)
    choose = import_string(settings.AGENT_MODEL)
    found = choose(lambda name: not patterns or matches_any(patterns, name))
    return Model(*found) if found else USUAL_AGENT_MODEL
