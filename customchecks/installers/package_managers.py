"""The programs that install dependencies: what they are told for each kind of manifest, and where scripts find them."""

from collections.abc import Callable
from dataclasses import dataclass

from customchecks.archives.script_archive import UNPACKED_AT
from customchecks.installers import installer
from customchecks.manifests.base import Manifest

VOLUME = installer.VOLUME
PYTHON = f"{VOLUME}/python"
# Node looks for packages beside the script and above it, for require and import alike
NODE_MODULES = f"{UNPACKED_AT}/node_modules"

Steps = list[list[str]]

_LOCKED = "requirements.locked.txt"
# Even so npm runs the "prepare" script of a folder that it links, so its shell is one that does nothing
_NPM_OPTIONS = (
    *("--omit=dev", "--ignore-scripts", "--script-shell=/bin/true"),
    *("--no-audit", "--no-fund", "--no-update-notifier"),
)


@dataclass(frozen=True, kw_only=True)
class PackageManager:
    """``steps`` takes a manifest and whether packages may be built, and returns argument lists.

    A check has the volume at ``place`` and runs the script with ``interpreter``, "" for the image's own. Where
    ``hoist`` is set, the folder of that name beside the manifest becomes the volume. ``compile`` is compiled.
    """

    steps: Callable[[Manifest, bool], Steps]
    place: str
    interpreter: str = ""
    hoist: str = ""
    compile: str = ""


def _uv(manifest: Manifest, source_builds: bool) -> Steps:
    environment = ["uv", "venv", "--no-config", "--no-project", "--python", "python3", PYTHON]
    into = ["uv", "pip", "install", "--no-config", "--python", f"{PYTHON}/bin/python3"]
    into += [] if source_builds else ["--only-binary", ":all:"]
    name = manifest.main.rpartition("/")[2]
    if manifest.installer in ("requirements", "pylock"):
        return [environment, [*into, "-r", name]]
    options = ["--frozen", "--no-config", "--no-header", "--python", "python3"]
    options += ["--script", name] if manifest.installer == "uv-script" else ["--no-dev", "--no-emit-project"]
    export = ["uv", "export", *options, "--quiet", "--format", "requirements-txt", "--output-file", _LOCKED]
    return [environment, export, [*into, "-r", _LOCKED]]


def _npm(manifest: Manifest, source_builds: bool) -> Steps:
    """npm builds nothing: no package's scripts are run."""
    return [["npm", "ci" if manifest.installer == "npm-ci" else "install", *_NPM_OPTIONS]]


UV = PackageManager(steps=_uv, place=VOLUME, interpreter=f"{PYTHON}/bin/python3", compile=f"{PYTHON}/lib")
NPM = PackageManager(steps=_npm, place=NODE_MODULES, hoist="node_modules")
