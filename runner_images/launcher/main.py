"""From the request to the answer."""

import time
import zlib

from launcher.frames import Request, answer, receive
from launcher.protection import guard, hide
from launcher.script import Script, on_child_exit, oom_kills
from launcher.unpacking import Refused, place


def main() -> None:
    hide()
    guard()
    request = Request(receive())
    answer(request.key, carry_out(request))


def carry_out(request: Request) -> list[bytes]:
    began = time.monotonic()
    try:
        place(request)
        unpacked = time.monotonic() - began
        script = Script(request, on_child_exit())
    except (Refused, OSError, ValueError, zlib.error) as error:
        return [b"refused", str(error).encode(errors="replace")]
    seconds = script.run()
    milliseconds = f"{unpacked * 1000:.0f} {seconds * 1000:.0f}"
    numbers = f"{script.status} {oom_kills()} {script.started_at:.6f} {milliseconds}"
    out, err = script.outputs
    return [script.ended.encode(), numbers.encode(), *out.fields(), *err.fields()]
