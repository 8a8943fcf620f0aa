"""Package indexes that resolve to addresses outside the public ranges: the exceptions a test run needs."""

import ipaddress
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from teckochecker.setup.home import BASE_DIR

ANSWER_SECONDS = 5.0
SMALL_PROJECT = "iniconfig"
PAGE_BYTES = 100_000
DEFAULT_INDEX = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
DEFAULT_REGISTRY = "from customchecks.manifests import public_indexes; print(public_indexes.NPM_REGISTRY)"


def private_addresses(python: Path, environ: Mapping[str, str]) -> list[str]:
    """IPv4 addresses, sorted; empty where the indexes are public or cannot be asked."""
    index = environ.get("TECKO_PIP_INDEX_URL", "") or environ.get("PIP_INDEX_URL", "") or pip_index(python)
    npm = environ.get("TECKO_NPM_REGISTRY", "") or npm_registry(python)
    hosts = {_host(index), _host(file_address(index)), _host(npm)} - {""}
    return non_global(address for host in hosts for address in resolve(host))


def pip_index(python: Path) -> str:
    """The index that pip uses: the one its files name, else the one built into it."""
    return _output([python, "-m", "pip", "config", "get", "global.index-url"]) or _output([python, "-c", DEFAULT_INDEX])


def npm_registry(python: Path) -> str:
    """The one that npm uses; without npm the one built into it, which the npm of the runner images asks."""
    told = _output(["npm", "config", "get", "registry"]) if shutil.which("npm") else ""
    return told or _output([python, "-c", DEFAULT_REGISTRY])


def file_address(index: str) -> str:
    """An index may keep its files on another host: the first link of one small page tells."""
    page = f"{index.rstrip('/')}/{SMALL_PROJECT}/"
    if urlsplit(page).scheme not in {"http", "https"}:
        return ""
    try:
        with urllib.request.urlopen(page, timeout=ANSWER_SECONDS) as answer:  # noqa: S310  scheme checked above
            text = answer.read(PAGE_BYTES).decode(errors="replace")
    except OSError:
        return ""
    link = re.search(r'<a\s[^>]*href="([^"#]+)', text)
    return urljoin(page, link[1]) if link else ""


def resolve(host: str) -> list[str]:
    try:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, 443, socket.AF_INET, socket.SOCK_STREAM)]
    except OSError:
        return []


def non_global(addresses: Iterable[str]) -> list[str]:
    return sorted({word for word in addresses if not ipaddress.ip_address(word).is_global})


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def _output(argv: list[str | Path]) -> str:
    done = subprocess.run(argv, cwd=BASE_DIR, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
