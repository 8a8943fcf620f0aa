"""Runs inside the install container, as ``python3 -c``: the steps of a plan, under a cap on what they put on the disk.

The plan is JSON in the first argument. What the steps print goes to stderr; stdout gets one JSON object, with ``size``
in bytes, or with ``error``, a sentence.
"""

# ruff: noqa: T201

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

VOLUME = "/deps"
CACHE = f"{VOLUME}/.cache"
BUILD = f"{VOLUME}/.build"
LOOK_SECONDS = 1.0


def main() -> None:
    plan = json.loads(sys.argv[1])
    folder = Path.cwd()
    if plan["hoist"]:  # what is installed beside the manifest has to be on the volume from the start
        folder = shutil.copytree(folder, Path(BUILD))
    folder /= plan["folder"]
    for step in plan["steps"]:
        error = run(step, folder, limit=plan["limit"])
        if error:
            print(json.dumps({"error": error}))
            sys.exit(1)
    if plan["hoist"]:
        hoist(folder / plan["hoist"], above=plan["folder"])
    shutil.rmtree(CACHE, ignore_errors=True)
    shutil.rmtree(BUILD, ignore_errors=True)
    subprocess.run(["sync", "--file-system", VOLUME], check=True)
    print(json.dumps({"size": used(VOLUME)}))


def run(step: list[str], folder: Path, *, limit: int) -> str:
    process = subprocess.Popen(step, cwd=folder, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    code = None
    while code is None:
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(LOOK_SECONDS)
        if used(VOLUME) > limit:
            process.kill()
            return f"They need more than {limit // 1024 // 1024} MB, which is the most that one set may take."
    return f"{step[0]} ended with exit code {code}." if code else ""


def hoist(folder: Path, *, above: str) -> None:
    """The volume itself becomes the folder: it is mounted at the top of the script, whichever folder was above it."""
    if not folder.is_dir():
        return
    for entry in [*folder.iterdir(), *folder.glob("@*/*")]:
        if entry.is_symlink() and (target := os.path.relpath(entry.resolve(), folder)).startswith(".."):
            up = "../" * len(entry.relative_to(folder).parts)
            entry.unlink()
            entry.symlink_to(up + os.path.normpath(f"{above or '.'}/{target.removeprefix('../')}"))
    for entry in list(folder.iterdir()):
        entry.rename(Path(VOLUME, entry.name))


def used(folder: str) -> int:
    """Bytes on the disk; every entry counts as a block at least, and what has two names counts once."""
    sizes = {}
    for parent, folders, names in os.walk(folder):
        for name in folders + names:
            try:
                found = Path(parent, name).lstat()
            except OSError:  # gone meanwhile
                continue
            sizes[found.st_ino] = max(found.st_blocks * 512, 4096)
    return sum(sizes.values())


if __name__ == "__main__":
    main()
