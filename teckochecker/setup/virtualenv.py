"""``.venv``, made from the hash-pinned lock files.

pip itself installs, because it alone obeys every index, proxy and certificate setting of the operator's pip.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from teckochecker.setup import home
from teckochecker.setup.progress import quietly, stage

RUNTIME_LOCK = "requirements.lock"
DEVELOPMENT_LOCK = "requirements-dev.lock"


def python(base: Path) -> Path:
    return base / ".venv" / "bin" / "python"


def ensure(base: Path, *, development: bool, environ: Mapping[str, str]) -> None:
    """Installs what the lock names, unless the stamp in ``.venv`` says that it is there."""
    # Two instances may start from one checkout at the same moment
    with stage("Python packages") as remarks, home.alone(base):
        if _current(base, development=development):
            remarks.append("as locked")
            return
        if not _works(python(base)):
            _make(base)
        lock = DEVELOPMENT_LOCK if development else RUNTIME_LOCK
        pip: list[str | Path] = [python(base), "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
        quietly([*pip, "--require-hashes", "-r", base / lock], env=pip_environment(environ))
        _stamp(base).write_text("".join(f"{line}\n" for line in _satisfied(base, development=development)))
        remarks.append(f"installed from {lock}")


def pip_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's own settings first; ours fill what it has not."""
    ours = {
        "PIP_INDEX_URL": environ.get("TECKO_PIP_INDEX_URL", ""),
        "PIP_CERT": environ.get("TECKO_CA_BUNDLE", ""),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    return {**{name: value for name, value in ours.items() if value}, **environ}


def _stamp(base: Path) -> Path:
    return base / ".venv" / ".locks"


def _satisfied(base: Path, *, development: bool) -> list[str]:
    """The development lock holds all of the runtime lock, so an install from it satisfies both."""
    names = [RUNTIME_LOCK, DEVELOPMENT_LOCK] if development else [RUNTIME_LOCK]
    return [f"{name} {hashlib.sha256((base / name).read_bytes()).hexdigest()}" for name in names]


def _current(base: Path, *, development: bool) -> bool:
    stamp = _stamp(base)
    if not stamp.is_file() or not _works(python(base)):
        return False
    return set(_satisfied(base, development=development)) <= set(stamp.read_text().splitlines())


def _works(interpreter: Path) -> bool:
    return interpreter.exists() and not subprocess.run([interpreter, "-c", "import pip"], check=False).returncode


def _make(base: Path) -> None:
    shutil.rmtree(base / ".venv", ignore_errors=True)
    quietly([sys.executable, "-m", "venv", base / ".venv"])
