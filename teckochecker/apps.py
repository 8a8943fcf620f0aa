"""The wiring app: settings checks, health, the supervisor."""

from django.apps import AppConfig


class TeckoCheckerConfig(AppConfig):
    name = "teckochecker"
    verbose_name = "TeckoChecker"

    def ready(self) -> None:
        from teckochecker.access import auditing, roles
        from teckochecker.ops import checks  # noqa: F401  registers the system checks

        auditing.register()
        roles.keep_in_step()
