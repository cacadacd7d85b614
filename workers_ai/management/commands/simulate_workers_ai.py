import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from workers_ai.simulator.serve import add_arguments, serve_forever


class Command(BaseCommand):
    help = "Serves the Workers AI simulator: Cloudflare's HTTP API without Cloudflare."
    # It needs neither the database nor the URLs nor valid settings.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        status = serve_forever(argparse.Namespace(**options))
        if status:
            sys.exit(status)
