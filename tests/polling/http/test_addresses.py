"""The address table, the spellings of a URL, and the operator's allow-list."""

import ipaddress
import string

import pytest
from django.core.checks import run_checks
from hypothesis import given
from hypothesis import strategies as st

from polling.http.addresses import (
    AddressRefused,
    Allowance,
    Kind,
    UrlRefused,
    check_addresses,
    check_url,
    kind_of,
    parse_url,
)

NOTHING = Allowance()
ADDRESSES = {
    Kind.PUBLIC: "1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.167.1.1 "
    "198.20.0.1 223.255.255.254 2606:4700::1111 2a00:1450:4001::200e 2001:4860:4860::8888 2400:cb00::1",
    Kind.PRIVATE: "10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 172.16.0.1 172.31.255.255 192.168.1.1 192.0.0.1 "
    "192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 240.0.0.1 fc00::1 fd12:3456::1 fec0::1 "
    "2001:20::1 2001:2::1 2001:db8::1 3fff::1 5f00::1 100::1 4000::1",
    Kind.LOOPBACK: "127.0.0.1 127.0.0.53 127.255.255.254 ::1",
    Kind.LINK_LOCAL: "169.254.0.1 169.254.255.254 fe80::1 febf::1",
    Kind.METADATA: "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 fd20:ce::254",
    Kind.TRANSLATED: "64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::a00:1",
    Kind.UNUSABLE: "0.0.0.0 0.1.2.3 224.0.0.1 239.255.255.255 255.255.255.255 :: ff02::1 ::7f00:1 ::ffff:127.0.0.1 "
    "::ffff:8.8.8.8 ::ffff:0:127.0.0.1 2002:7f00:1:: 2002:808:808::1 2001:0:4136:e378:8000:63bf:3fff:fdd2",
}
TABLE = [(text, kind) for kind, texts in ADDRESSES.items() for text in texts.split()]

SPELLINGS = [
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://127.0.0.0x1/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://①②⑦.⓪.⓪.①/",
    "https://127.0.0.1/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://127\uff0e0\uff0e0\uff0e1/",
    "https://127\u30020\u30020\u30021/",
    "https://\uff4cocalhost/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://app.localhost/",
    "https://localhost./",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1%25eth0]/",
    "https://[::1%lo]/",
    "https://[127.0.0.1]/",
    "https://[v1.fe80]/",
    "https://0/",
    "https://256.1.1.1/",
    "https://1.2.3.4.5/",
    "https://hooks.123/",
    "https://hooks.0x1f/",
    "https://169.254.169.254/latest/meta-data",
]
MALFORMED = [
    "",
    "hooks.example.com",
    "//hooks.example.com/",
    "/etc/passwd",
    "http://hooks.example.com/",
    "HTTPS://hooks.example.com/",
    "https:hooks.example.com",
    "https:/hooks.example.com",
    "https:///x",
    "https://",
    "https://:443/",
    "https://https://hooks.example.com/",
    "git://hooks.example.com/",
    "ssh://hooks.example.com/",
    "file:///etc/passwd",
    "ftp://hooks.example.com/",
    "gopher://hooks.example.com/",
    "javascript:alert(1)",
    "ext::sh -c id",
    "https://user@hooks.example.com/",
    "https://user:pw@hooks.example.com/",
    "https://@hooks.example.com/",
    "https://good.example.com\\@evil.example.com/",
    "https://hooks.example.com:/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:22/",
    "https://hooks.example.com:25/",
    "https://hooks.example.com:99999/",
    "https://hooks.example.com:+443/",
    "https://hooks.example.com:\uff14\uff14\uff13/",
    "https://hooks.example.com:443:443/",
    "https://hooks..example.com/",
    "https://.example.com/",
    "https://example.com./",
    "https://-a.example.com/",
    "https://a-.example.com/",
    "https://a_b.example.com/",
    "https://a*b.example.com/",
    "https://a%2eb.example.com/",
    "https://[::1/",
    "https://::1/",
    f"https://{'a' * 64}.example.com/",
    f"https://{'.'.join(['a' * 60] * 5)}/",
    "https://hooks.example.com/" + "a" * 500,
    " https://hooks.example.com/",
    "https://hooks.example.com/\n",
    "https://hooks.example.com/a b",
    "https://hooks.example.com/\t",
    "https://hooks.example.com/\x00",
    "https://hooks.example.com/\x1b",
    "https://hooks.example.com/\x7f",
    "https://hooks.example.com/\u202e",
    "https://hooks.exa\u200bmple.com/",
    "https://hooks.example.com/\ud800",
    "https://hooks.example.com/\u3000",
]


@pytest.mark.parametrize(("text", "kind"), TABLE)
def test_every_address_has_its_kind(text: str, kind: Kind) -> None:
    assert kind_of(ipaddress.ip_address(text)) is kind


@pytest.mark.parametrize(("text", "kind"), TABLE)
def test_without_an_allow_list_only_public_addresses_are_reached(text: str, kind: Kind) -> None:
    address = ipaddress.ip_address(text)
    assert NOTHING.permits(address, host="hooks.example.com", port=443) is (kind is Kind.PUBLIC)


@given(st.ip_addresses())
def test_whatever_is_public_is_global_for_the_standard_library_too(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert kind_of(address) is not Kind.PUBLIC or (address.is_global and not address.is_multicast)


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_of_an_internal_address_is_accepted(url: str) -> None:
    with pytest.raises(UrlRefused):
        check_url(url, allow=NOTHING)


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        check_url(url, allow=NOTHING)


@pytest.mark.parametrize("url", [*SPELLINGS, *MALFORMED])
def test_no_network_in_the_allow_list_makes_a_malformed_url_good(url: str) -> None:
    allow = Allowance.parse(["0.0.0.0/0", "[::/0]"])
    try:
        target = check_url(url, allow=allow)
    except UrlRefused:
        return
    assert target.scheme == "http" or target.port < 1024 or kind_of(target.address) is Kind.TRANSLATED


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://hooks.example.com", "hooks.example.com", 443, "/"),
        ("https://Hooks.Example.COM:8443/A?b=c#d", "hooks.example.com", 8443, "/A?b=c"),
        ("https://hooks.example.com?b=c", "hooks.example.com", 443, "/?b=c"),
        ("https://localhost-tools.example.com/x", "localhost-tools.example.com", 443, "/x"),
        ("https://bücher.example/ö", "xn--bcher-kva.example", 443, "/ö"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
        ("https://4chan.example.com:80/", "4chan.example.com", 80, "/"),
        ("https://93.184.216.34/", "93.184.216.34", 443, "/"),
        ("https://[2606:4700:0::1111]:8443/", "2606:4700::1111", 8443, "/"),
        ("https://hooks.example.com/a@b:c//d", "hooks.example.com", 443, "/a@b:c//d"),
        ("https://intranet/", "intranet", 443, "/"),
    ],
)
def test_a_good_url_is_taken_apart(url: str, host: str, port: int, path: str) -> None:
    target = check_url(url, allow=NOTHING)
    assert (target.host, target.port, target.path) == (host, port, path)


@given(st.text(alphabet=string.printable + "①。.:@[]%/\\", max_size=40).map("https://".__add__))
def test_what_the_grammar_accepts_is_a_plain_host_name_or_an_address(url: str) -> None:
    try:
        target = parse_url(url)
    except UrlRefused:
        return
    assert target.address is not None or set(target.host) <= set(string.ascii_lowercase + string.digits + "-.")
    assert parse_url(target.url) == target


@pytest.mark.parametrize(
    ("words", "address", "host"),
    [
        (["10.0.0.0/8"], "10.1.2.3", "any.example.com"),
        (["10.1.2.3"], "10.1.2.3", "any.example.com"),
        (["10.0.0.0/8:8080"], "10.1.2.3", "any.example.com"),
        (["[fd00::/8]"], "fd00::5", "any.example.com"),
        (["[fd00::5]:8080"], "fd00::5", "any.example.com"),
        (["hooks.corp"], "10.1.2.3", "hooks.corp"),
        (["Hooks.Corp:8080"], "fd00::5", "hooks.corp"),
        ([".internal"], "100.64.0.1", "a.b.internal"),
        (["127.0.0.1"], "127.0.0.1", "any.example.com"),
        (["127.0.0.0/8"], "127.0.0.1", "any.example.com"),
        (["[::1]"], "::1", "any.example.com"),
        (["localhost"], "127.0.0.1", "localhost"),
        (["169.254.0.0/16"], "169.254.7.7", "any.example.com"),
        (["169.254.169.254"], "169.254.169.254", "any.example.com"),
        (["168.63.129.16/32"], "168.63.129.16", "any.example.com"),
        (["[64:ff9b::/96]"], "64:ff9b::808:808", "any.example.com"),
        (["[64:ff9b::/96]", "10.0.0.0/8"], "64:ff9b::a00:1", "any.example.com"),
    ],
)
def test_the_operator_opens_what_is_listed(words: list[str], address: str, host: str) -> None:
    assert Allowance.parse(words).permits(ipaddress.ip_address(address), host=host, port=8080)


@pytest.mark.parametrize(
    ("words", "address", "host"),
    [
        (["10.0.0.0/8"], "192.168.0.1", "any.example.com"),
        (["10.0.0.0/8:9090"], "10.1.2.3", "any.example.com"),
        (["hooks.corp"], "10.1.2.3", "other.corp"),
        (["hooks.corp"], "10.1.2.3", "x.hooks.corp"),
        (["hooks.corp:9090"], "10.1.2.3", "hooks.corp"),
        (["hooks.corp"], "127.0.0.1", "hooks.corp"),
        (["hooks.corp"], "169.254.1.1", "hooks.corp"),
        ([".internal"], "169.254.169.254", "metadata.google.internal"),
        ([".internal"], "10.0.0.1", "internal"),
        ([".internal"], "10.0.0.1", "evilinternal"),
        (["0.0.0.0/0"], "127.0.0.1", "any.example.com"),
        (["0.0.0.0/0"], "169.254.1.1", "any.example.com"),
        (["169.254.0.0/16"], "169.254.169.254", "any.example.com"),
        (["100.64.0.0/10"], "100.100.100.200", "any.example.com"),
        (["0.0.0.0/0"], "0.0.0.0", "any.example.com"),
        (["0.0.0.0"], "0.0.0.0", "localhost"),
        (["0.0.0.0/0"], "224.0.0.1", "any.example.com"),
        (["[::/0]"], "::1", "any.example.com"),
        (["[::/0]"], "fe80::1", "any.example.com"),
        (["[fd00::/8]"], "fd00:ec2::254", "any.example.com"),
        (["[::ffff:0:0/96]", "127.0.0.1"], "::ffff:127.0.0.1", "any.example.com"),
        (["[64:ff9b::/96]"], "64:ff9b::a00:1", "any.example.com"),
        (["[64:ff9b::/96]", "0.0.0.0/0"], "64:ff9b::a9fe:a9fe", "any.example.com"),
        (["localhost"], "127.0.0.1", "any.example.com"),
    ],
)
def test_the_operator_opens_nothing_else(words: list[str], address: str, host: str) -> None:
    assert not Allowance.parse(words).permits(ipaddress.ip_address(address), host=host, port=8080)


@pytest.mark.parametrize(
    ("words", "url"),
    [
        (["hooks.corp"], "http://hooks.corp:22/"),
        (["10.0.0.0/8"], "http://10.1.2.3/"),
        (["[fd00::5]"], "https://[fd00::5]:25/"),
        (["localhost:8080"], "http://localhost:8080/"),
        (["127.0.0.1"], "http://127.0.0.1:5000/"),
        (["127.0.0.1"], "http://localhost:5000/"),
    ],
)
def test_plain_http_and_any_port_are_for_listed_hosts(words: list[str], url: str) -> None:
    target = check_url(url, allow=Allowance.parse(words))
    assert target.url == url


def test_a_name_is_plain_http_only_while_all_its_addresses_are_listed() -> None:
    allow = Allowance.parse(["10.0.0.0/8"])
    target = check_url("http://any.example.com/", allow=allow)
    check_addresses(target, [ipaddress.ip_address("10.1.2.3")], allow=allow)
    with pytest.raises(UrlRefused, match="https"):
        check_addresses(target, [ipaddress.ip_address(text) for text in ("10.1.2.3", "8.8.8.8")], allow=allow)


def test_one_private_address_among_public_ones_refuses_the_name_and_is_not_shown() -> None:
    target = check_url("https://any.example.com/", allow=NOTHING)
    with pytest.raises(AddressRefused) as refused:
        check_addresses(target, [ipaddress.ip_address(text) for text in ("8.8.8.8", "fd00::7")], allow=NOTHING)
    assert "private" in str(refused.value)
    assert "fd00::7" not in str(refused.value)


@pytest.mark.parametrize(
    "word",
    [
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.1",
        "0x0a000001",
        "::1",
        "fd00::/8",
        "[10.0.0.1]",
        "[::1]/128",
        "[::1",
        "[fe80::1%eth0]",
        "hooks.corp:0",
        "hooks.corp:70000",
        "hooks.corp:x",
        "*.corp",
        "http://hooks.corp",
        "hooks_corp",
        "hooks..corp",
        ".",
        "a@b",
        "10.0.0.0/8/8",
    ],
)
def test_a_wrong_word_in_the_allow_list_is_named(word: str) -> None:
    with pytest.raises(ValueError, match=r"no network|port") as refused:
        Allowance.parse([word])
    assert repr(word) in str(refused.value)


def test_the_system_check_reports_every_wrong_word(settings: object) -> None:
    settings.TECKO_WEBHOOK_ALLOW = ["10.0.0.0/8", "fd00::/8", "*.corp"]
    found = [message for message in run_checks() if message.id == "polling.E001"]
    assert [("fd00::/8" in message.msg, bool(message.hint)) for message in found] == [(True, True), (False, True)]
