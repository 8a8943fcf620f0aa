"""Nobody but the instance's own user reads its folder, whatever modes it and its files had."""

import contextlib
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

OTHERS = 0o077
# All that an instance puts into its folder. Anything else there is somebody's: then the folder may be, too
OURS = (
    ".*",
    "*.sqlite3*",
    "*.lock",
    "server.*",
    "instance*",
    "logs*",
    "cache*",
    "git",
    "metrics*",
    "static*",
    "test",
    "test-*",
)
# A root file system on its way into an image, whose modes are to stay
NOT_OURS = ("runner-base*",)


def close(home: Path) -> list[str]:
    """Takes others' rights away, if it is ours alone, and makes all that this process makes private."""
    os.umask(OTHERS)
    if not home.is_dir() or not is_open(home) or foreign(home):
        return []
    return mend(home)


def mend(home: Path) -> list[str]:
    """Of the folder, unless others' things are in it, and of all that is ours there; returns what it did."""
    changed = 0 if foreign(home) else _mend(home)
    for path in home.iterdir():
        if _is_ours(path):
            changed += sum(map(_mend, (path, *_below(path))))
    return [f"closed to others ({changed} files and folders)"] if changed else []


def is_open(home: Path) -> bool:
    return bool(home.stat().st_mode & OTHERS)


def foreign(home: Path) -> list[str]:
    """Names of what lies in it and is not ours."""
    return sorted(path.name for path in home.iterdir() if not _is_ours(path))


def _is_ours(path: Path) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in OURS)


def _below(path: Path) -> Iterator[Path]:
    if path.is_symlink() or not path.is_dir():
        return
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not any(fnmatch(name, pattern) for pattern in NOT_OURS)]
        yield from (Path(folder, name) for name in (*folders, *files))


def _mend(path: Path) -> bool:
    """Links are not followed. Files of others stay as they are, and so do those that have gone meanwhile."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        found = path.lstat().st_mode
        if not stat.S_ISLNK(found) and found & OTHERS:
            path.chmod(stat.S_IMODE(found) & ~OTHERS)
            return True
    return False
