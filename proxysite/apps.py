from django.apps import AppConfig


class ProxySiteConfig(AppConfig):
    name = "proxysite"

    def ready(self) -> None:
        from proxysite import checks  # noqa: F401  registers them
