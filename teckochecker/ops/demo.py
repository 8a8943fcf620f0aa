"""``script/server --demo``: a webhook receiver on the screen, and a job that reports to it."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from teckochecker.ops.supervisor import Program


class DemoFailed(Exception):
    """The message is what the command said."""


@dataclass(frozen=True)
class Demo:
    base: Path
    port: int

    @property
    def receiver(self) -> Program:
        script = self.base / "examples" / "webhook-receiver" / "receiver.py"
        return Program(name="receiver", argv=(sys.executable, "-u", str(script), "--port", str(self.port)))

    def environ(self) -> dict[str, str]:
        """Deliveries may reach the receiver, and nothing else of this machine, although it is on the loopback."""
        receiver = f"127.0.0.1:{self.port}"
        allowed = ",".join([*os.environ.get("TECKO_WEBHOOK_ALLOW", "").replace(",", " ").split(), receiver])
        return {**os.environ, "TECKO_WEBHOOK_ALLOW": allowed}

    def create_job(self) -> str:
        """Returns the job's name. Raises DemoFailed."""
        name = f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
        options = {
            "--name": name,
            "--from": str(self.base / "examples" / "mock-checker"),
            "--runtime": "python",
            "--interval": "10",
            "--webhook-url": f"http://127.0.0.1:{self.port}/webhook",
        }
        argv = [sys.executable, str(self.base / "manage.py"), "customcheck", "create", "--json"]
        argv += [word for pair in options.items() for word in pair]
        argv += ["--env", "TASK_ID=demo", "--env", "CHECKS_UNTIL_COMPLETE=3"]
        done = subprocess.run(
            argv, env=self.environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DemoFailed(f"The demo job could not be created: {(done.stderr or done.stdout).strip()}")
        return name


def prepare(base: Path) -> Demo:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Demo(base, listener.getsockname()[1])
