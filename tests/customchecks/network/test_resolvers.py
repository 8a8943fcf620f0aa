import pytest

from customchecks.network import packet_rules


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
def test_resolvers_are_the_ipv4_name_servers(lines: str, servers: tuple[str, ...]) -> None:
    assert packet_rules.resolvers([lines]) == servers


def test_behind_a_resolver_on_the_loopback_stands_the_next_file() -> None:
    assert packet_rules.resolvers(["nameserver 127.0.0.53\n", "nameserver 10.0.0.2\n"]) == ("10.0.0.2",)


def test_without_any_file_there_is_no_resolver() -> None:
    assert packet_rules.resolvers([packet_rules.text("/nonexistent")]) == ()
