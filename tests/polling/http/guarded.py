"""The guarded client as the tests use it: short deadline, the loopback listed, a name service of their own."""

import socket
from collections.abc import Callable
from typing import Any

from polling.http.addresses import Allowance
from polling.http.client import GuardedClient
from polling.http.exchanges import Answer
from tests.polling.http.receivers import Receiver

DEADLINE = 0.6
LOOPBACK = Allowance.parse(["127.0.0.1"])
OK = b"HTTP/1.1 200 OK\r\n"
UNROUTED = "3ffe:ffff::1"  # public by its block, given back by the 6bone: nobody answers there


def to(*addresses: str) -> Callable[[str, int], list[tuple[Any, ...]]]:
    """A name service that always gives these addresses."""
    return lambda _host, port: [(0, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


def client(**options: Any) -> GuardedClient:
    return GuardedClient(**{"allow": LOOPBACK, "deadline": DEADLINE, "resolve": to("127.0.0.1"), **options})


def post(receiver: Receiver, scheme: str = "http", **options: Any) -> Answer:
    url = f"{scheme}://hooks.example.com:{receiver.port}/in"
    return client(**options).send("POST", url, headers={}, body=b"{}")
