from django.apps import AppConfig
from django.core.checks import register

from secrets_app import checks


class SecretsConfig(AppConfig):
    name = "secrets_app"
    verbose_name = "Secrets"

    def ready(self) -> None:
        register(checks.keys)
