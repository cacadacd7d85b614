"""`manage.py list_keys`: every key with its owner, state and limits. No secret."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand

from keys.key_json import key_as_json, limits_as_json
from keys.models import Key


class Command(BaseCommand):
    help = "Lists keys, never their secrets."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one list of objects")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = Key.objects.select_related("owner").prefetch_related("secrets").order_by("pk")
        if options["json"]:
            listed = [key_as_json(key) for key in keys]
            self.stdout.write(json.dumps(listed, indent=2, ensure_ascii=False))
            return
        for key in keys.iterator(500):
            owner = key.owner.get_username() if key.owner else "-"
            shown = f"{key.prefix}…{key.last_four}" if key.prefix else "(in the settings)"
            limits = [f"{k}={_text(v)}" for k, v in limits_as_json(key).items() if v]
            line = [str(key.pk), shown, key.state(), owner, key.name, " ".join(limits)]
            self.stdout.write("  ".join(line).rstrip())


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)
