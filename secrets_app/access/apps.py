from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "secrets_app.access"
    label = "access"
    verbose_name = "Access"
