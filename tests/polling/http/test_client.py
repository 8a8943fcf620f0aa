"""The guarded client against real receivers on the loopback."""

import ipaddress
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polling.http.addresses import Allowance
from polling.http.client import GuardedClient, is_own
from polling.http.exchanges import ExchangeFailed, RequestRefused
from tests.polling.http.guarded import DEADLINE, OK, UNROUTED, client, post, to
from tests.polling.http.receivers import Receiver, answer, flood, receiving


@pytest.fixture
def bystander() -> Iterator[Receiver]:
    """A receiver that nobody has any business with."""
    with receiving(answer()) as receiver:
        yield receiver
        assert receiver.connections == 0


def test_an_answer_comes_back_whole() -> None:
    with receiving(answer("200 OK", b'{"ok": true}', "Retry-After: 7")) as receiver:
        result = post(receiver)
    assert (result.status, result.body, result.cut) == (200, b'{"ok": true}', False)
    assert result.headers["retry-after"] == "7"
    assert 0 <= result.elapsed_ms < 1000 * DEADLINE


@pytest.mark.parametrize("status", ["204 No Content", "400 Bad Request", "410 Gone", "429 Slow down", "500 Oops"])
def test_every_status_is_an_answer(status: str) -> None:
    with receiving(answer(status)) as receiver:
        assert post(receiver).status == int(status[:3])


def test_the_request_is_the_callers_with_the_name_as_host() -> None:
    with receiving(answer()) as receiver:
        url = f"http://hooks.example.com:{receiver.port}/a%20b?c=d#e"
        headers = {"X-Job": "7", "Content-Type": "application/json"}
        client().send("PUT", url, headers=headers, body=b'{"a": 1}', params={"q": "1&x=2#\r\n", "ü": "0"})
    head, body = receiver.requests[0].split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "PUT /a%20b?c=d&q=1%26x%3D2%23%0D%0A&%C3%BC=0 HTTP/1.1"
    assert {f"Host: hooks.example.com:{receiver.port}", "X-Job: 7", "Content-Length: 8"} <= set(lines)
    assert {"Accept-Encoding: identity", "Connection: close", "Content-Type: application/json"} <= set(lines)
    assert body == b'{"a": 1}'


def test_a_caller_cannot_replace_what_belongs_to_the_connection() -> None:
    theirs = {"hOST": "evil", "Content-Length": "999", "Transfer-Encoding": "chunked", "Connection": "keep-alive"}
    theirs |= {
        "Accept-Encoding": "gzip",
        "Proxy-Authorization": "x",
        "TE": "x",
        "Upgrade": "x",
        "Expect": "100-continue",
    }
    with receiving(answer()) as receiver:
        client().send("POST", f"http://hooks.example.com:{receiver.port}/", headers=theirs, body=b"{}")
    sent = receiver.requests[0].lower()
    assert sent.count(b"host:") == sent.count(b"content-length: 2") == sent.count(b"connection: close") == 1
    assert not any(word in sent for word in (b"evil", b"chunked", b"gzip", b"upgrade", b"expect", b"proxy", b"te:"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            ("X-A", "a\r\nX-B: c"),
            ("X-A", "a\n"),
            ("X-A", "\x00"),
            ("X-A", "日"),
            ("X-A", "\ud800"),
            ("X-A", "a" * 8193),
        ],
        *[("X A", "a"), ("", "a"), ("X:A", "a"), ("X\r\nA", "a"), ("Ä", "a")],
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_for_good_and_not_quoted(
    name: str, value: str, bystander: Receiver
) -> None:
    with pytest.raises(RequestRefused) as refused:
        client().send("POST", f"http://hooks.example.com:{bystander.port}/", headers={name: value}, body=None)
    assert refused.value.permanent
    assert "X-B" not in str(refused.value)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "get", "POST\r\n", "", "POST /x HTTP/1.1\r\nA: b\r\n\r\nGET"])
def test_another_method_is_refused(method: str, bystander: Receiver) -> None:
    with pytest.raises(RequestRefused, match="method"):
        client().send(method, f"http://hooks.example.com:{bystander.port}/", headers={}, body=None)


def test_a_query_that_cannot_be_sent_is_refused(bystander: Receiver) -> None:
    with pytest.raises(RequestRefused, match="query"):
        url = f"http://hooks.example.com:{bystander.port}/"
        client().send("GET", url, headers={}, body=None, params={"a": "\ud800"})


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_an_answer_and_is_not_followed(status: str, bystander: Receiver) -> None:
    with receiving(answer(status, b"", f"Location: http://127.0.0.1:{bystander.port}/")) as receiver:
        assert post(receiver).status == int(status[:3])
    assert receiver.connections == 1


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_proxies_of_the_environment_are_ignored(
    name: str, bystander: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"http://127.0.0.1:{bystander.port}")
    with receiving(answer()) as receiver:
        assert post(receiver).status == 200


def test_the_netrc_file_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine hooks.example.com login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with receiving(answer()) as receiver:
        post(receiver)
    assert b"authorization" not in receiver.requests[0].lower()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("first", [(), (UNROUTED,)])
def test_a_name_with_one_private_address_gets_no_connection(
    address: str, first: tuple[str, ...], bystander: Receiver
) -> None:
    guarded = client(allow=Allowance(), resolve=to(*first, address))
    with pytest.raises(RequestRefused) as refused:
        guarded.send("POST", f"https://rebind.example.com:{bystander.port}/", headers={}, body=b"{}")
    assert not refused.value.permanent


def test_a_name_that_turns_private_after_the_check_is_not_asked_again(bystander: Receiver) -> None:
    answers = [UNROUTED, "127.0.0.1", "127.0.0.1"]
    guarded = client(allow=Allowance(), resolve=lambda host, port: to(answers.pop(0))(host, port))
    with pytest.raises(ExchangeFailed):
        guarded.send("POST", f"https://rebind.example.com:{bystander.port}/", headers={}, body=b"{}")
    assert len(answers) == 2
    with pytest.raises(RequestRefused, match="loopback"):
        guarded.send("POST", f"https://rebind.example.com:{bystander.port}/", headers={}, body=b"{}")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::1]", "[::ffff:7f00:1]", "2130706433"])
def test_an_internal_url_is_refused_for_good(host: str, bystander: Receiver) -> None:
    guarded = GuardedClient(allow=Allowance())
    with pytest.raises(RequestRefused) as refused:
        guarded.send("POST", f"https://{host}:{bystander.port}/", headers={}, body=b"{}")
    assert refused.value.permanent


def test_plain_http_is_refused_where_the_host_is_not_listed(bystander: Receiver) -> None:
    with pytest.raises(RequestRefused, match="https"):
        post(bystander, allow=Allowance.parse(["10.0.0.0/8"]), resolve=to(UNROUTED))


def test_the_next_address_is_tried_when_one_takes_no_connection() -> None:
    allow = Allowance.parse(["127.0.0.0/8"])
    with receiving(answer()) as receiver:
        assert post(receiver, allow=allow, resolve=to("127.0.0.9", "127.0.0.1")).status == 200


def test_the_addresses_for_another_program_are_the_checked_ones() -> None:
    target, addresses = client().check("http://hooks.example.com:8080/x.git")
    assert (target.host, [str(address) for address in addresses]) == ("hooks.example.com", ["127.0.0.1"])
    with pytest.raises(RequestRefused):
        client(allow=Allowance()).check("https://hooks.example.com/x.git")


def test_a_public_address_of_this_host_has_to_be_listed(bystander: Receiver) -> None:
    guarded = client(allow=Allowance(), resolve=to(UNROUTED), own=lambda _address: True)
    with pytest.raises(RequestRefused, match="this server"):
        guarded.send("GET", f"https://hooks.example.com:{bystander.port}/", headers={}, body=None)
    listed = client(allow=Allowance.parse(["hooks.example.com"]), resolve=to(UNROUTED), own=lambda _address: True)
    assert listed.check(f"https://hooks.example.com:{bystander.port}/")


def test_the_own_address_of_this_host_is_known() -> None:
    assert is_own(ipaddress.ip_address("127.0.0.1"))
    assert not is_own(ipaddress.ip_address(UNROUTED))


@pytest.mark.parametrize(
    "head",
    [b"\r\n", b"Content-Length: 99999999999\r\n\r\n", b"Content-Encoding: gzip\r\n\r\n"],
    ids=["no length", "a length", "gzip"],
)
def test_an_endless_body_is_cut_at_64_kb(head: bytes) -> None:
    tracemalloc.start()
    with receiving(flood(OK + head, b"x" * 65536)) as receiver:
        result = post(receiver)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(result.body), result.cut) == (65536, True)
    assert peak < 5_000_000


def test_a_body_of_exactly_64_kb_is_whole() -> None:
    with receiving(answer("200 OK", b"x" * 65536)) as receiver:
        result = post(receiver)
    assert (len(result.body), result.cut) == (65536, False)


def test_a_compressed_body_stays_compressed() -> None:
    bomb = b"\x1f\x8b\x08" + b"\x00" * 100
    with receiving(answer("200 OK", bomb, "Content-Encoding: gzip")) as receiver:
        assert post(receiver).body == bomb


def test_malformed_headers_put_no_query_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with receiving(answer("200 OK", b"", "no colon in here", "X-B: c")) as receiver:
        url = f"http://hooks.example.com:{receiver.port}/?token=confidential"
        assert client().send("GET", url, headers={}, body=None).status == 200
    assert "confidential" not in caplog.text


def test_nothing_listens() -> None:
    with receiving(answer()) as receiver:
        pass
    with pytest.raises(ExchangeFailed, match=r"hooks\.example\.com: connection refused"):
        post(receiver)


def test_a_receiver_that_never_accepts_fails_at_the_connect_timeout() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(ExchangeFailed, match="in time"):
            post(Receiver(full.getsockname()[1]), connect_timeout=0.2)
        for one in waiting:
            one.close()


def test_a_name_that_does_not_resolve_fails() -> None:
    def resolve(_host: str, _port: int) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(ExchangeFailed, match="does not resolve"):
        post(Receiver(8080), resolve=resolve)


def test_a_name_service_that_never_answers_fails_on_time() -> None:
    released = threading.Event()
    started = time.monotonic()
    with pytest.raises(ExchangeFailed, match="no whole answer within"):
        post(Receiver(8080), resolve=lambda _host, _port: released.wait(5) and [])
    released.set()
    assert time.monotonic() - started < DEADLINE + 1


def test_a_ca_bundle_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="CA bundle"):
        client(ca_bundle=str(tmp_path / "none.pem"))


def test_the_settings_make_a_client(settings: Any) -> None:
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]
    with receiving(answer()) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/"
        assert GuardedClient.from_settings().send("GET", url, headers={}, body=None).status == 200


def test_many_threads_share_one_client() -> None:
    shared, found = client(deadline=10), []
    with receiving(answer("200 OK", b"x")) as receiver:
        url = f"http://hooks.example.com:{receiver.port}/"
        threads = [
            threading.Thread(target=lambda: found.append(shared.send("GET", url, headers={}, body=None).status))
            for _ in range(30)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [200] * 30
