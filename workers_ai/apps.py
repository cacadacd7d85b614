from django.apps import AppConfig


class WorkersAIConfig(AppConfig):
    name = "workers_ai"
    default_auto_field = "django.db.models.BigAutoField"
