"""The programs that install dependencies, one row each: their commands, index and environment, and their files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings

from customchecks.archives.script_archive import UNPACKED_AT
from customchecks.installers import installer
from customchecks.manifests import public_indexes
from customchecks.manifests.manifest import Manifest

VOLUME = installer.VOLUME
PYTHON = f"{VOLUME}/python"
# Node looks for packages beside the script and above it, for require and import alike
FETCH_SECONDS = 20  # an index that does not answer is given up on within two minutes
FETCH_RETRIES = 2
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
    """A program that installs packages.

    ``steps`` takes a manifest and whether packages may be built, and returns argument lists.

    The operator's index is in ``index_setting``; without it, the public one is at ``public_hosts``. The program finds
    it in ``index_variable``. ``manifests`` are the names by which people tell that a script needs something, and
    ``unwanted`` files hold settings of a script's author, which it does not get to see.

    A check has the volume at ``place`` and runs the script with ``interpreter``, "" for the image's own. Where
    ``hoist`` is set, the folder of that name beside the manifest becomes the volume. ``compile`` is compiled.
    """

    steps: Callable[[Manifest, bool], Steps]
    manifests: tuple[str, ...]
    unwanted: tuple[str, ...]
    index_setting: str
    index_variable: str
    public_hosts: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    place: str
    interpreter: str = ""
    hoist: str = ""
    compile: str = ""

    @property
    def index(self) -> str:
        """The URL of the operator's index, which may hold a password; empty where the public one is asked."""
        return str(getattr(settings, self.index_setting))


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


UV = PackageManager(
    steps=_uv,
    manifests=("requirements.txt", "pylock.toml", "pyproject.toml", "Pipfile", "Pipfile.lock"),
    unwanted=("uv.toml", "pip.conf"),
    index_setting="TECKO_PIP_INDEX_URL",
    index_variable="UV_DEFAULT_INDEX",
    public_hosts=(public_indexes.PYTHON_HOST, public_indexes.PYTHON_FILES_HOST),
    environment={
        "UV_CACHE_DIR": installer.CACHE,
        "UV_NO_EDITABLE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "UV_HTTP_TIMEOUT": f"{FETCH_SECONDS}",
        "UV_HTTP_RETRIES": f"{FETCH_RETRIES}",
        "UV_CONCURRENT_BUILDS": "1",
        "UV_CONCURRENT_INSTALLS": "2",
        "UV_CONCURRENT_DOWNLOADS": "16",  # each is a thread of the index proxy, too
        "TOKIO_WORKER_THREADS": "4",
        "RAYON_NUM_THREADS": "4",
    },
    place=VOLUME,
    interpreter=f"{PYTHON}/bin/python3",
    compile=f"{PYTHON}/lib",
)
NPM = PackageManager(
    steps=_npm,
    manifests=("package.json",),
    unwanted=(".npmrc",),
    index_setting="TECKO_NPM_REGISTRY",
    index_variable="npm_config_registry",
    public_hosts=(public_indexes.NPM_HOST,),
    environment={
        "npm_config_cache": installer.CACHE,
        "npm_config_fetch_retries": f"{FETCH_RETRIES}",
        "npm_config_fetch_timeout": f"{FETCH_SECONDS * 1000}",
        "npm_config_fetch_retry_mintimeout": "2000",
    },
    place=NODE_MODULES,
    hoist="node_modules",
)
ROWS = (UV, NPM)
MANIFESTS = tuple(name for row in ROWS for name in row.manifests)
UNWANTED = frozenset(name for row in ROWS for name in row.unwanted)


def indexes() -> list[str]:
    """The URL of the operator's index of each, empty where the public one is asked."""
    return [row.index for row in ROWS]


def index_hosts() -> list[str]:
    """Where packages come from: the operator's indexes, or the public ones."""
    hosts = ((urlsplit(row.index).hostname,) if row.index else row.public_hosts for row in ROWS)
    return [host for found in hosts for host in found if host]
