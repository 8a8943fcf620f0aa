"""What a script says about itself in a comment (PEP 723, "inline script metadata")."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from customchecks.archives.script_archive import Archive
from customchecks.manifests import places, python_versions, toml_text, uv_settings
from customchecks.manifests.manifest import Manifest, ManifestRefused, is_texts, read, shown, table, tables
from customchecks.manifests.requirement_files import RequirementLines, parsed

BEGIN, END = "# /// script", "# ///"
MAX_BLOCK_LINES = 2000


@dataclass(frozen=True)
class Inline:
    """The script says what it needs, be it nothing."""

    manifest: Manifest | None


def find(archive: Archive, entrypoint: str, *, source_builds: bool, python: str) -> Inline | None:
    """None where it says nothing. Raises ManifestRefused."""
    if not archive.has(entrypoint) or BEGIN.encode() not in archive.read(entrypoint):
        return None
    block = _block(archive, entrypoint)
    if block is None:
        return None
    said = toml_text.loads(block, f"The block of {shown(entrypoint)}")
    python_versions.check(said.get("requires-python"), where=shown(entrypoint), python=python)
    wanted = said.get("dependencies", [])
    if not is_texts(wanted):
        raise ManifestRefused(f"{shown(entrypoint)}: dependencies in its block is a list of texts.")
    if archive.has(f"{entrypoint}.lock"):
        return Inline(_locked(archive, entrypoint, block, wanted))
    uv_settings.check(table(said.get("tool")).get("uv"), entrypoint, lock=f"uv lock --script {entrypoint}")
    lines = RequirementLines(archive, folder=places.folders(entrypoint)[0], source_builds=source_builds)
    return Inline(lines.manifest(lines.require(entrypoint, wanted)))


def _locked(archive: Archive, entrypoint: str, block: str, wanted: list[str]) -> Manifest:
    """The script without its code: another line of code is not another set."""
    lock = f"{entrypoint}.lock"
    locked = toml_text.load(archive, lock)
    _check_current(locked, wanted, lock)
    for package in tables(locked.get("package")):
        if "registry" not in table(package.get("source")):
            raise ManifestRefused(f"{shown(lock)}: only packages of an index are taken in a script's lock.")
    commented = "".join(f"# {line}".rstrip() + "\n" for line in block.splitlines())
    files = {entrypoint: f"{BEGIN}\n{commented}{END}\n".encode(), lock: archive.read(lock)}
    return Manifest(installer="uv-script", main=entrypoint, files=files)


def _check_current(locked: dict[str, Any], wanted: list[str], lock: str) -> None:
    known = tables(table(locked.get("manifest")).get("requirements"))
    names = {str(one.get("name")) for one in known}
    for text in wanted:
        if (name := canonicalize_name(parsed(text).name)) not in names:
            raise ManifestRefused(f"{shown(lock)} lacks {name}, which the script names: it is older. Run uv lock.")


def _block(archive: Archive, entrypoint: str) -> str | None:
    """Raises ManifestRefused where there are two, as the PEP has it, or where it has no end."""
    lines = iter(read(archive, entrypoint).splitlines())
    blocks = [list(_content(lines, entrypoint)) for line in lines if line.rstrip() == BEGIN]
    if len(blocks) > 1:
        raise ManifestRefused(f"{shown(entrypoint)} has two blocks of metadata. Keep one of them.")
    return "\n".join(blocks[0]) if blocks else None


def _content(lines: Iterator[str], entrypoint: str) -> Iterator[str]:
    for number, line in enumerate(lines):
        if line.rstrip() == END:
            return
        if number >= MAX_BLOCK_LINES or not (line == "#" or line.startswith("# ")):
            break
        yield line[2:]
    raise ManifestRefused(f"{shown(entrypoint)}: its block of metadata has no end. Close it with a line {END!r}.")
