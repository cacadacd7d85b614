from django.apps import AppConfig


class ProxySiteConfig(AppConfig):
    name = "proxysite"
