"""``script/engines``: the tests of the sandbox on private engines of this machine's dockerd, in several variants."""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
import pytest

from tests import private_engine
from tests.private_engine import PrivateEngine

IMAGES = "tests/customchecks/images/test_images.py"
ENDINGS = "tests/security/test_endings.py"
LAUNCHER_KILLED = "test_a_launcher_that_ends_without_the_engines_doing_is_laid_at_its_scripts_door"
TESTS = (
    "tests/security/test_isolation.py",
    ENDINGS,
    "tests/security/test_network.py",
    f"{IMAGES}::test_force_builds_a_current_image_again",
    f"{IMAGES}::test_another_recipe_replaces_the_image",
    f"{IMAGES}::test_an_image_that_another_home_is_about_to_tag_stays",
    f"{IMAGES}::test_the_offline_base_can_be_demanded",
)
# A private engine's network leads nowhere, and its processes have other numbers than this machine's
LEFT_OUT = ("-m", "not network", "--deselect", f"{ENDINGS}::{LAUNCHER_KILLED}")
# What is refused has to have a way: packets without one never come to a rule
WAY_OUT = (
    "link add out type veth peer name outside",
    "link set outside up",
    "link set out up",
    "route add default dev out",
)
HEAD = "| engine | API | variant | Python | result |\n|---|---|---|---|---|"
IPV6_POOL = "fd00:7465:636b:6f::/64"
OLDEST_API = "1.44"


class Unknown(Exception):
    """This engine, or this machine, does not have the variant."""


@dataclass(frozen=True)
class Settings:
    options: tuple[str, ...] = ()
    environ: tuple[tuple[str, str], ...] = ()
    knows: Callable[[PrivateEngine], bool] = lambda engine: True


def as_it_is(folder: Path) -> Settings:
    return Settings()


def oldest_api(folder: Path) -> Settings:
    return Settings(
        environ=(("DOCKER_MIN_API_VERSION", OLDEST_API),),
        knows=lambda engine: _told(engine, "/version")["MinAPIVersion"] == OLDEST_API,
    )


def containerd_store(folder: Path) -> Settings:
    configuration = folder / "daemon.json"
    configuration.write_text(json.dumps({"features": {"containerd-snapshotter": True}}))
    return Settings(
        options=("--config-file", str(configuration)),
        knows=lambda engine: "io.containerd.snapshotter" in str(_told(engine, "/info")["DriverStatus"]),
    )


def iptables_legacy(folder: Path) -> Settings:
    for program in ("iptables", "ip6tables"):
        if not (legacy := shutil.which(f"{program}-legacy")):
            raise Unknown(f"no {program}-legacy")
        (folder / program).symlink_to(legacy)
    return Settings(
        environ=(("PATH", f"{folder}:{os.environ['PATH']}"),),
        knows=lambda engine: "DOCKER" in engine.command("iptables-legacy", "-S"),
    )


def ipv6(folder: Path) -> Settings:
    """Of the first one, and where the engine has such an option of all that do not say what they want."""
    options = ["--experimental", "--ip6tables", "--ipv6", "--fixed-cidr-v6", IPV6_POOL]
    if _has_option("--default-network-opt"):
        options += ["--default-network-opt", "bridge=com.docker.network.enable_ipv6=true"]
    return Settings(options=tuple(options), knows=lambda engine: bool(_told(engine, "/networks/bridge")["EnableIPv6"]))


def nftables(folder: Path) -> Settings:
    if not _has_option("--firewall-backend"):
        raise Unknown("the engine has none")
    return Settings(options=("--firewall-backend=nftables",))


VARIANTS: dict[str, Callable[[Path], Settings]] = {
    "as it is": as_it_is,
    f"API from {OLDEST_API} on": oldest_api,
    "containerd image store": containerd_store,
    "iptables-legacy": iptables_legacy,
    "networks with IPv6": ipv6,
    "nftables backend": nftables,
}


def main(arguments: Sequence[str]) -> int:
    options, for_pytest = _parser().parse_known_args(arguments)
    django.setup()
    os.environ["CI"] = "true"  # what is missing is a failure
    print(HEAD, flush=True)
    good = True
    for name, variant in VARIANTS.items():
        if options.only in name:
            told, result, passed = _tried(name, variant, for_pytest)
            print(f"| {told} | {name} | {platform.python_version()} | {result} |", flush=True)
            good &= passed
    return int(not good)


def _tried(name: str, variant: Callable[[Path], Settings], for_pytest: Sequence[str]) -> tuple[str, str, bool]:
    """Engine and API, the result, and whether it is a good one."""
    told = f"{_dockerd('--version').split(',')[0].split()[-1]} |"
    with tempfile.TemporaryDirectory(prefix="tck-") as folder:
        try:
            settings = variant(Path(folder))
            with private_engine.started(*settings.options, environ=dict(settings.environ)) as engine:
                version = _told(engine, "/version")
                told = f"{version['Version']} | {version['MinAPIVersion']} to {version['ApiVersion']}"
                if not settings.knows(engine):
                    raise Unknown("the engine does not know it")
                return told, *_tested(name, engine, for_pytest, folder)
        except Unknown as error:
            return told, f"not tried: {error}", True
        except pytest.fail.Exception as error:
            print(f"{name}:\n{error}", file=sys.stderr)
            return told, "no engine", False


def _tested(name: str, engine: PrivateEngine, for_pytest: Sequence[str], folder: str) -> tuple[str, bool]:
    chosen = [] if any(word.startswith("tests/") for word in for_pytest) else TESTS
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *LEFT_OUT, *chosen, *for_pytest]
    for words in WAY_OUT:
        engine.command("ip", *words.split())
    with engine.inside():
        # Instances that others have left on this machine's engine are not to be looked for here
        environ = {**os.environ, "TMPDIR": folder}
        done = subprocess.run(argv, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}:\n{done.stdout}{done.stderr}", file=sys.stderr)
    found = re.findall(r"^[^\n]*\d+ (?:passed|failed|errors?)\b.*", done.stdout, re.MULTILINE)
    return (found or [f"pytest ended with {done.returncode}"])[-1], done.returncode == 0


def _told(engine: PrivateEngine, path: str) -> dict[str, Any]:
    with private_engine.answered(str(engine.socket), "GET", path) as answer:
        return dict(json.load(answer))


def _has_option(option: str) -> bool:
    return option in _dockerd("--help")


def _dockerd(word: str) -> str:
    return subprocess.run(["dockerd", word], capture_output=True, text=True, check=True).stdout


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/engines",
        description=f"Runs tests on private engines of this machine's dockerd: {', '.join(VARIANTS)}. Prints a table; "
        "what fails is on stderr. Every other argument goes to pytest; tests that it names are run in place of those "
        "of the sandbox.",
        allow_abbrev=False,
    )
    parser.add_argument("--only", default="", metavar="WORDS", help="the variants in whose name they are")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
