"""Manifests that neither uv nor npm can follow: told by name, with what to do, where no other one counts."""

import re
from collections.abc import Mapping
from typing import Any

from customchecks.archives.script_archive import Archive
from customchecks.manifests import places
from customchecks.manifests.manifest import ManifestRefused

_OTHERWISE = "Name what the script needs in a requirements.txt beside it."

# What counts only where it says that something is needed
_SAYING = {
    "setup.py": "install_requires",
    "setup.cfg": "install_requires",
    "environment.yml": "dependencies",
    "environment.yaml": "dependencies",
    "conda.yml": "dependencies",
    "conda.yaml": "dependencies",
    "pixi.toml": "dependencies",
    "requirements.in": "",
    "requirements.lock": "",
    "conda-lock.yml": "",
    "pixi.lock": "",
    "pdm.lock": "",
    "poetry.lock": "",
    "uv.lock": "",
}
_REMEDY = {
    "requirements.in": "Compile it: uv pip compile requirements.in -o requirements.txt.",
    "requirements.lock": "Rename it to requirements.txt.",
    "pdm.lock": "Add a requirements.txt: pdm export -o requirements.txt.",
    "poetry.lock": "Add the pyproject.toml that it belongs to.",
    "uv.lock": "Add the pyproject.toml that it belongs to.",
}
_SPELLED = ("requirements.txt", "pylock.toml", "pyproject.toml", "Pipfile", "Pipfile.lock", "uv.lock", "poetry.lock")
_PARTS = re.compile(r"requirements/(base|common|main|prod|production|requirements|runtime)\.(txt|in)")

_NODE_LOCKS = {
    "yarn.lock": "Yarn",
    "pnpm-lock.yaml": "pnpm",
    "bun.lock": "Bun",
    "bun.lockb": "Bun",
    "deno.lock": "Deno",
}
_NODE_MANIFESTS = {"deno.json": '"imports"', "deno.jsonc": '"imports"', "package.json5": "", "package.yaml": ""}


def check_python(archive: Archive, folder: str) -> None:
    """Raises ManifestRefused."""
    _check_named(archive, folder, _SAYING)
    for file in archive.files:
        name = places.below(folder, file.path)
        if name and _PARTS.fullmatch(name):
            raise ManifestRefused(f"{file.path} is not looked for. Add a requirements.txt with the line -r {name}.")
        if name not in _SPELLED and name.lower() in map(str.lower, _SPELLED):
            right = next(one for one in _SPELLED if one.lower() == name.lower())
            raise ManifestRefused(f"{file.path} is not looked for: it is spelled {right}.")


def check_locks(archive: Archive, folder: str) -> None:
    """Locks that a pyproject.toml without its own uv.lock may have. Raises ManifestRefused."""
    _check_named(archive, folder, dict.fromkeys(("pdm.lock", "pixi.lock", "requirements.lock"), ""))
    for parent in places.folders(f"{folder}/")[1:] if folder else ():
        path = places.joined(parent, "uv.lock")
        if archive.has(path):
            raise ManifestRefused(
                f"{path} locks a workspace, of which {folder} cannot be taken alone. Add a requirements.txt beside the"
                " script: uv export -o requirements.txt."
            )


def check_project(project: Mapping[str, Any], path: str) -> None:
    """Ways to name dependencies in pyproject.toml that only a build tool understands. Raises ManifestRefused."""
    about = project.get("project")
    dynamic = about.get("dynamic") if isinstance(about, dict) else None
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        raise ManifestRefused(
            f"{path}: dependencies are dynamic, so only building the project tells them. {_OTHERWISE}"
        )
    tool = project.get("tool")
    flit = tool.get("flit") if isinstance(tool, dict) else None
    if isinstance(flit, dict) and isinstance(flit.get("metadata"), dict) and flit["metadata"].get("requires"):
        raise ManifestRefused(f"{path}: [tool.flit.metadata] is not read. Name them in [project] dependencies.")


def check_node_locks(archive: Archive, folder: str) -> None:
    """Where npm has no lock of its own. Raises ManifestRefused."""
    for name, tool in _NODE_LOCKS.items():
        path = places.joined(folder, name)
        if archive.has(path):
            raise ManifestRefused(
                f"{path} is {tool}'s, which is not followed: npm installs packages. Add a package-lock.json with the"
                " same versions (npm install --package-lock-only reads those of yarn.lock), or remove the file."
            )


def check_node(archive: Archive, folder: str) -> None:
    """Raises ManifestRefused."""
    for name, word in _NODE_MANIFESTS.items():
        path = places.joined(folder, name)
        if archive.has(path) and word.encode() in archive.read(path):
            raise ManifestRefused(f"{path} is not read. Name what the script needs in a package.json beside it.")


def _check_named(archive: Archive, folder: str, names: Mapping[str, str]) -> None:
    for name, word in names.items():
        path = places.joined(folder, name)
        if archive.has(path) and word.encode() in archive.read(path):
            raise ManifestRefused(f"{path} is not followed. {_REMEDY.get(name, _OTHERWISE)}")
