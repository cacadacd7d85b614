"""`manage.py list_service_tokens`: every service token with its scopes and state. No secret."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand

from management_api.models import ServiceToken
from management_api.tokens import tokens_as_json


class Command(BaseCommand):
    help = "Lists tokens for the management API, never their secrets."
    # Other checks would import all pages.
    requires_system_checks = ("keys",)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one list of objects")

    def handle(self, *args: Any, **options: Any) -> None:
        listed = tokens_as_json(ServiceToken.objects.order_by("pk"))
        if options["json"]:
            self.stdout.write(json.dumps(listed, indent=2, ensure_ascii=False))
            return
        for token in listed:
            shown = f"{token['prefix']}…{token['last_four']}"
            until = f"until {token['expires_at']}"
            facts = [str(token["id"]), shown, token["state"], until, token["name"]]
            self.stdout.write("  ".join([*facts, ",".join(token["scopes"])]))
