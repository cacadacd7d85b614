from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ThemeConfig(AppConfig):
    name = "theme"
    default = True


class OperatorAdminConfig(admin_apps.AdminConfig):
    """Django's admin, with the operators' site in the place of its own."""

    default = False
    default_site = "theme.site.OperatorSite"
