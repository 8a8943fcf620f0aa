"""Receivers that misbehave, and TLS: every exchange ends on time, costs no memory and trusts nobody by accident."""

import ssl
import time
import tracemalloc
from functools import partial
from pathlib import Path

import pytest
import trustme

from polling.http.exchanges import ExchangeFailed
from tests.polling.http.guarded import DEADLINE, OK, client, post
from tests.polling.http.receivers import answer, drip, flood, listening, receiving, reset, silent


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_bundle(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def server_tls(authority: trustme.CA, name: str = "hooks.example.com") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


HEADERS = OK + b"Content-Length: 9\r\n"
UNENDING = {
    "drips its body": partial(receiving, drip(OK + b"Content-Length: 9000\r\n\r\n", b"x")),
    "drips a body of no length": partial(receiving, drip(OK + b"\r\n", b"x")),
    "drips chunks": partial(receiving, drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")),
    "drips headers": partial(receiving, drip(OK, b"X-A: b\r\n")),
    "drips one header": partial(receiving, drip(OK, b"x")),
    "drips interim answers": partial(receiving, drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "sends headers without end": partial(receiving, flood(OK, b"X-A: b\r\n")),
    "sends long headers without end": partial(receiving, flood(OK, b"X-A: " + b"b" * 60000 + b"\r\n")),
    "sends one header without end": partial(receiving, flood(OK, b"x" * 65536)),
    "sends interim answers without end": partial(receiving, flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "sends a status line without end": partial(receiving, flood(b"HTTP/1.1 200 ", b"x" * 65536)),
    "sends a chunk size without end": partial(
        receiving, flood(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1" * 65536)
    ),
    "sends trailers without end": partial(
        receiving, flood(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n")
    ),
    "never answers": partial(receiving, silent),
    "never reads": partial(listening, silent),
    "stops in its body": partial(receiving, lambda connection: connection.sendall(HEADERS + b"\r\nabc")),
    "closes at once": partial(listening, lambda _connection: None),
    "closes after the request": partial(receiving, lambda _connection: None),
    "resets the connection": partial(listening, reset),
    "resets after the request": partial(receiving, reset),
    "resets in its body": partial(
        receiving, lambda connection: (connection.sendall(HEADERS + b"\r\nabc"), reset(connection))
    ),
    "is not HTTP": partial(receiving, lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")),
}


@pytest.mark.parametrize("behaviour", UNENDING)
def test_a_receiver_that_misbehaves_fails_the_exchange_on_time_and_costs_no_memory(behaviour: str) -> None:
    body = b"x" * (50_000_000 if behaviour == "never reads" else 10)
    with UNENDING[behaviour]() as receiver:
        url = f"http://hooks.example.com:{receiver.port}/in?token=confidential"
        tracemalloc.start()
        started = time.monotonic()
        with pytest.raises(ExchangeFailed) as failed:
            client().send("POST", url, headers={}, body=body)
        took, peak = time.monotonic() - started, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert took < DEADLINE + 1
    assert peak < 5_000_000
    assert "confidential" not in str(failed.value)
    assert failed.value.__cause__ is None


def test_tls_is_verified_for_the_name_with_the_operators_bundle(authority: trustme.CA, ca_bundle: str) -> None:
    with receiving(answer(), tls=server_tls(authority)) as receiver:
        assert post(receiver, "https", ca_bundle=ca_bundle).status == 200
    assert receiver.server_names == ["hooks.example.com"]
    assert f"Host: hooks.example.com:{receiver.port}".encode() in receiver.requests[0]


def test_a_certificate_of_an_unknown_authority_is_not_accepted(authority: trustme.CA) -> None:
    with (
        receiving(answer(), tls=server_tls(authority)) as receiver,
        pytest.raises(ExchangeFailed, match="not accepted"),
    ):
        post(receiver, "https")
    assert receiver.requests == []


def test_a_certificate_for_another_name_is_not_accepted(authority: trustme.CA, ca_bundle: str) -> None:
    other = server_tls(authority, "other.example.com")
    with receiving(answer(), tls=other) as receiver, pytest.raises(ExchangeFailed, match="Hostname mismatch"):
        post(receiver, "https", ca_bundle=ca_bundle)
    assert receiver.requests == []


def test_old_tls_is_not_spoken(authority: trustme.CA, ca_bundle: str) -> None:
    old = server_tls(authority)
    with pytest.warns(DeprecationWarning):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with receiving(answer(), tls=old) as receiver, pytest.raises(ExchangeFailed, match="TLS failed"):
        post(receiver, "https", ca_bundle=ca_bundle)


def test_a_receiver_that_speaks_no_tls_fails() -> None:
    mail = listening(lambda connection: connection.sendall(b"220 mail.example.com ready\r\n" * 9))
    with mail as receiver, pytest.raises(ExchangeFailed, match="TLS failed"):
        post(receiver, "https")


def test_a_receiver_that_never_shakes_hands_fails_on_time() -> None:
    started = time.monotonic()
    with listening(silent) as receiver, pytest.raises(ExchangeFailed):
        post(receiver, "https")
    assert time.monotonic() - started < DEADLINE + 1


@pytest.mark.parametrize("piece", [b"X-A: b\r\n", b"x"], ids=["headers", "one header"])
def test_the_deadline_holds_within_tls(authority: trustme.CA, ca_bundle: str, piece: bytes) -> None:
    started = time.monotonic()
    dripping = receiving(drip(OK, piece), tls=server_tls(authority))
    with dripping as receiver, pytest.raises(ExchangeFailed, match="no whole answer within"):
        post(receiver, "https", ca_bundle=ca_bundle)
    assert time.monotonic() - started < DEADLINE + 1


def test_the_operators_bundle_is_all_that_is_trusted(authority: trustme.CA, ca_bundle: str) -> None:
    guarded = client(ca_bundle=ca_bundle)
    with receiving(answer(), tls=server_tls(authority)) as receiver:
        guarded.send("GET", f"https://hooks.example.com:{receiver.port}/", headers={}, body=None)
    assert guarded._tls.cert_store_stats()["x509_ca"] == 1
