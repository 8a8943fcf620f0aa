from django.apps import AppConfig


class CustomChecksConfig(AppConfig):
    name = "customchecks"
    verbose_name = "Custom checks"
