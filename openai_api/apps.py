from django.apps import AppConfig


class OpenAIApiConfig(AppConfig):
    name = "openai_api"
