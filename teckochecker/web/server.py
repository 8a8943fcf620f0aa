"""gunicorn's configuration: ``gunicorn -c python:teckochecker.web.server teckochecker.wsgi``."""

import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management.base import CommandError
from django.utils.module_loading import import_string

from teckochecker.ops import logs

_host = f"[{settings.TECKO_HOST}]" if ":" in settings.TECKO_HOST else settings.TECKO_HOST

bind = f"{_host}:{settings.TECKO_PORT}"
workers = 2
worker_class = "teckochecker.web.worker.Worker"
# On PostgreSQL each thread that has served a request keeps a connection: at most 32 in all
threads = 16
# Below the usual limit of 1024 open files, with the database's and the logs'
worker_connections = 400
timeout = 60
# Running checks belong to the cluster; no request takes longer
graceful_timeout = 20
accesslog = None
control_socket_disable = True
# A worker that beats on a slow disk looks dead
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
logconfig_dict = {
    **logs.config(level=settings.TECKO_LOG_LEVEL),
    "loggers": {"gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True}},
}


def on_starting(server: object) -> None:
    """One line in place of a worker after the other that cannot start."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teckochecker.settings")
    django.setup()
    try:
        import_string("teckochecker.ops.readiness.demand")()  # it needs the models, which are there only now
    except CommandError as error:
        sys.exit(f"Error: {error}")
