from typing import Any

from django.apps import AppConfig
from django.contrib.auth import get_user_model

from storage.names import validate_name


class KeysConfig(AppConfig):
    name = "keys"
    verbose_name = "Keys and requests"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from keys import checks, deleted_holders  # noqa: F401  registers them

        # Django's own model: its rule for names lets fillers pass that nobody sees.
        names: Any = get_user_model()._meta.get_field(get_user_model().USERNAME_FIELD)
        names.validators.append(validate_name)
