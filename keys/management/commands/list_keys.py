"""`manage.py list_keys`: every key with its owner, state and limits. No secret."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand

from keys.key_json import keys_as_json
from keys.models import Key


class Command(BaseCommand):
    help = "Lists keys, never their secrets."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one list of objects")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = Key.objects.select_related("owner").prefetch_related("secrets").order_by("pk")
        listed = keys_as_json(keys)
        if options["json"]:
            self.stdout.write(json.dumps(listed, indent=2, ensure_ascii=False))
            return
        for key in listed:
            self.stdout.write(_line(key))


def _line(key: dict[str, Any]) -> str:
    shown = f"{key['prefix']}…{key['last_four']}" if key["prefix"] else "(in the settings)"
    limits = [f"{name}={_text(value)}" for name, value in key["limits"].items() if value]
    line = [str(key["id"]), shown, key["state"], key["owner"] or "-", key["name"]]
    return "  ".join([*line, " ".join(limits)]).rstrip()


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)
