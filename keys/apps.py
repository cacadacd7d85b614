from django.apps import AppConfig


class KeysConfig(AppConfig):
    name = "keys"
    verbose_name = "Keys and requests"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from keys import checks, deleted_holders  # noqa: F401  registers them
