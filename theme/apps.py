from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.contrib.admin import autodiscover
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core.checks import CheckMessage, Tags, register


class ThemeConfig(AppConfig):
    name = "theme"
    default = True


class OperatorAdminConfig(admin_apps.SimpleAdminConfig):
    """Django's admin, with the operators' site in the place of its own.

    Its pages are loaded by the URLs and the checks, which need them, and not by every command: its
    start would take twice as long.
    """

    default = False
    default_site = "theme.site.OperatorSite"

    def ready(self) -> None:
        register(check_dependencies, Tags.admin)
        register(check_pages, Tags.admin)


def check_pages(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    autodiscover()
    found: list[CheckMessage] = check_admin_app(app_configs, **kwargs)
    return found
