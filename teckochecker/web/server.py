"""One process of the web server: ``python -m teckochecker.web.server``; the supervisor runs some on one socket."""

import argparse
import os
import signal
import socket
import sys
import time
from typing import Any

import django
from django.conf import settings
from django.core.management.base import CommandError
from django.utils.module_loading import import_string
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from teckochecker.web.connections import MAX_BODY, MAX_HEAD, SMALL_BODY, Server

PROCESSES = 2
THREADS = 16  # on PostgreSQL each that has served a request keeps a connection: at most 32 in all
MAX_CONNECTIONS = 400  # below the usual limit of 1024 open files, with the database's and the logs'
BACKLOG = 2048
GRACE_SECONDS = 20.0  # running checks belong to the cluster; no request takes longer


def listen() -> socket.socket:
    """At the instance's address. Raises OSError."""
    host, port = settings.TECKO_HOST, settings.TECKO_PORT
    family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.create_server(place, family=family, backlog=BACKLOG, dualstack_ipv6=host == "::")
    listener.setblocking(False)
    return listener


def main() -> None:
    parser = argparse.ArgumentParser(prog="teckochecker.web.server")
    parser.add_argument("--fd", type=int, help="a socket that listens already (default: one at TECKO_HOST, TECKO_PORT)")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teckochecker.settings")
    django.setup()
    try:
        import_string("teckochecker.ops.readiness.demand")()  # it needs the models, which are there only now
        listener = listen() if options.fd is None else socket.socket(fileno=options.fd)
    except (CommandError, OSError) as error:
        sys.exit(f"Error: {error}")
    serve(listener, import_string(settings.WSGI_APPLICATION))


def serve(listener: socket.socket, application: Any) -> None:
    """Until SIGTERM or SIGINT; requests that have come by then are answered."""
    threads = ThreadedTaskDispatcher()
    threads.set_thread_count(THREADS)
    connections: dict[int, Any] = {}
    adjustments = Adjustments(
        sockets=[listener],
        max_request_header_size=MAX_HEAD,
        max_request_body_size=MAX_BODY + 1,
        inbuf_overflow=SMALL_BODY,
        recv_bytes=64 * 1024,
        connection_limit=MAX_CONNECTIONS,
        cleanup_interval=1,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=False,  # TECKO_PROXIES says which of them count
        ident=None,
    )
    info = (listener.family, listener.type, listener.proto, listener.getsockname())
    server = Server(application, connections, True, listener, threads, adjustments, info, bind_socket=False)
    stopping: list[int] = []

    def stop(number: int, _: object) -> None:
        stopping.append(number)
        server.pull_trigger()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while not stopping:
        wasyncore.loop(timeout=1, use_poll=True, map=connections, count=1)
    server.accepting = False
    end = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < end and any(channel.is_busy() for channel in list(server.active_channels.values())):
        wasyncore.loop(timeout=0.1, use_poll=True, map=connections, count=1)
    threads.shutdown(timeout=1)


if __name__ == "__main__":
    main()
