"""Where something comes from that a manifest names: a path of the archive, or a URL."""

import posixpath
import re

from customchecks.manifests.manifest import ManifestRefused, shown
from polling.http import addresses

VERSION_CONTROL = ("git+", "hg+", "svn+", "bzr+", "git:", "git@", "ssh:")
_WEB = re.compile(r"https?:", re.IGNORECASE)


def inside(folder: str, path: str) -> str:
    """``path`` as seen from ``folder``, from the top of the archive. Raises ManifestRefused where that is outside."""
    if "%" in path or not path.isprintable():
        raise ManifestRefused(f"{shown(path)} has characters that a path must not have here. Rename the file.")
    joined = posixpath.normpath(posixpath.join(folder, path))
    if path.startswith(("/", "~", "\\")) or joined.startswith("../") or joined == "..":
        raise ManifestRefused(f"{shown(path)} is outside the archive. Put the file into it and name it from there.")
    return joined


def joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def below(folder: str, path: str) -> str:
    """``path`` as it is called from ``folder``; empty where it is not in it."""
    return path if not folder else path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else ""


def folders(entrypoint: str) -> list[str]:
    """Where a manifest of an entry point may be: beside it first, the top of the archive last."""
    parts = entrypoint.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), -1, -1)]


def is_url(text: str) -> bool:
    """Also what only an installer takes for one, such as ``https:/example.com/x``."""
    return "://" in text or bool(_WEB.match(text))


def check_url(url: str) -> None:
    """What cannot be fetched by everybody is refused; the sandbox's network refuses what only a lookup can tell."""
    try:
        target = addresses.parse_url(url)
    except addresses.UrlRefused as error:
        raise ManifestRefused(f"{shown(url)}: {error}") from None
    if target.scheme != "https":
        raise ManifestRefused(f"{shown(url)}: the URL must start with https://.")
    local = target.host == "localhost" or target.host.endswith(".localhost")
    if local or (target.address and addresses.kind_of(target.address) is not addresses.Kind.PUBLIC):
        raise ManifestRefused(f"{shown(url)}: the address is not a public one.")


def refuse_version_control(text: str) -> None:
    if text.lower().startswith(VERSION_CONTROL):
        raise version_control(text)


def version_control(text: str) -> ManifestRefused:
    return ManifestRefused(
        f"{shown(text)} comes from version control, which is not fetched. Name a released version, or put the"
        " package into the archive."
    )
