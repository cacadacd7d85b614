import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from catalog.aliases import (
    BadFallbacks,
    NoSuchModel,
    alias_as_json,
    alias_line,
    point_alias,
)
from catalog.errors import shown
from catalog.models import Alias


class Command(BaseCommand):
    help = (
        "Makes or moves an alias (alias_model gpt-4o @cf/…), removes one, or lists them all. "
        "Models after the first are its fallbacks, asked in this order when it cannot answer."
    )
    # The admin's checks would load every page.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("alias", nargs="?", metavar="ALIAS")
        parser.add_argument("models", nargs="*", metavar="MODEL")
        parser.add_argument("--remove", metavar="ALIAS", help="remove this alias")
        parser.add_argument("--list", action="store_true", help="print every alias and its model")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        alias, models = options["alias"], options["models"]
        asked = [bool(alias), options["remove"] is not None, options["list"]]
        if sum(asked) != 1 or bool(alias) != bool(models):
            raise CommandError("Give ALIAS and MODEL, or --remove ALIAS, or --list.")
        if options["list"]:
            self.print_all(as_json=options["json"])
        elif options["remove"] is not None:
            self.remove(options["remove"], as_json=options["json"])
        else:
            self.point(alias, models, as_json=options["json"])

    def print_all(self, *, as_json: bool) -> None:
        aliases = Alias.objects.select_related("target").prefetch_related("fallbacks__target")
        if as_json:
            self.stdout.write(json.dumps([alias_as_json(alias) for alias in aliases]))
        else:
            for alias in aliases:
                self.stdout.write(alias_line(alias))

    def remove(self, name: str, *, as_json: bool) -> None:
        alias = Alias.objects.filter(alias=name).first()
        if alias is None:
            raise CommandError(f"There is no alias {shown(name)}.")
        alias.delete()
        self.stdout.write(json.dumps({"removed": name}) if as_json else f"- {name}")

    def point(self, name: str, model_names: list[str], *, as_json: bool) -> None:
        try:
            alias, _ = point_alias(name, model_names)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except (NoSuchModel, BadFallbacks) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(alias_as_json(alias)) if as_json else alias_line(alias))
