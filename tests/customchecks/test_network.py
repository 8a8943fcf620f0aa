from pathlib import Path

import pytest

from customchecks import network


@pytest.mark.parametrize(
    ("lines", "servers"),
    [
        ("nameserver 10.0.0.2\nnameserver 1.1.1.1\n", ("10.0.0.2", "1.1.1.1")),
        ("# nameserver 9.9.9.9\noptions edns0\nnameserver\t10.0.0.2\n", ("10.0.0.2",)),
        ("nameserver 10.0.0.2\nnameserver 10.0.0.2\n", ("10.0.0.2",)),
        ("nameserver fd00::1\nnameserver nonsense\nnameserver\n", ()),
        ("", ()),
    ],
)
def test_resolvers_are_the_ipv4_name_servers(lines: str, servers: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(lines)
    assert network.host_resolvers([file]) == servers


def test_behind_a_resolver_on_the_loopback_stands_the_next_file(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\n")
    real.write_text("nameserver 10.0.0.2\n")
    assert network.host_resolvers([stub, real]) == ("10.0.0.2",)


def test_without_any_file_there_is_no_resolver(tmp_path: Path) -> None:
    assert network.host_resolvers([tmp_path / "none"]) == ()
