import difflib
import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from catalog.errors import shown
from catalog.models import MOST_FALLBACKS, Alias, CatalogModel, next_revision


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
            self.stdout.write(json.dumps([_told(alias) for alias in aliases]))
        else:
            for alias in aliases:
                self.stdout.write(_line(alias))

    def remove(self, name: str, *, as_json: bool) -> None:
        alias = Alias.objects.filter(alias=name).first()
        if alias is None:
            raise CommandError(f"There is no alias {shown(name)}.")
        alias.delete()
        self.stdout.write(json.dumps({"removed": name}) if as_json else f"- {name}")

    def point(self, name: str, model_names: list[str], *, as_json: bool) -> None:
        if len(set(model_names)) < len(model_names):
            raise CommandError("A model is named twice.")
        if len(model_names) - 1 > MOST_FALLBACKS:
            raise CommandError(f"An alias has at most {MOST_FALLBACKS} fallbacks.")
        with transaction.atomic():
            # Its lock puts two commands at once in a line: the second moves what the first made.
            next_revision()
            first, *others = [self.model(name) for name in model_names]
            alias = Alias.objects.filter(alias=name).first() or Alias(alias=name)
            alias.target = first
            try:
                alias.full_clean()
                alias.save()
                alias.set_fallbacks(others)
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(json.dumps(_told(alias)) if as_json else _line(alias))

    def model(self, name: str) -> CatalogModel:
        model = CatalogModel.objects.filter(name=name).first()
        if model is None:
            names = CatalogModel.objects.values_list("name", flat=True)
            tails = {known.rsplit("/", 1)[-1]: known for known in names}
            near = difflib.get_close_matches(name[:120].rsplit("/", 1)[-1], tails, n=3)
            hint = f" Close to it: {', '.join(tails[tail] for tail in near)}." if near else ""
            raise CommandError(f"The catalog has no model {shown(name)}.{hint}")
        return model


def _told(alias: Alias) -> dict[str, Any]:
    fallbacks = [fallback.target.name for fallback in alias.fallbacks.all()]
    return {"alias": alias.alias, "model": alias.target.name, "fallbacks": fallbacks}


def _line(alias: Alias) -> str:
    return " → ".join([alias.alias, alias.target.name, *map(str, alias.fallbacks.all())])
