"""The result of a check whose script was run: its verdict and what it printed, without secrets."""

from dataclasses import replace
from typing import Any

from customchecks.checking import verdict
from customchecks.sandbox.outcome import SandboxOutcome
from customchecks.sandbox.stream import MAX_KEPT
from polling.base.results import Cause, CheckResult, Verdict
from secrets_app.masking.masker import Masker
from teckochecker.kit import strict_json


def from_outcome(outcome: SandboxOutcome, masker: Masker, *, install_log: str = "") -> CheckResult:
    """Parsed first and masked then, but for the message: a secret that looks like a status word changes no verdict."""
    stderr = _printed(outcome.stderr, cut=outcome.stderr_cut, masker=masker)
    parsed = _parsed(outcome, masker, stderr=stderr)
    return replace(
        parsed,
        message=masker.text(parsed.message),
        data=masker.data(parsed.data),
        state=_without_secrets(parsed.state, masker),
        progress=_without_secrets(parsed.progress, masker),
        stdout=_printed(outcome.stdout, cut=outcome.stdout_cut, masker=masker),
        stderr=stderr,
        install_log=masker.text(install_log),
    )


def _without_secrets(value: Any, masker: Masker) -> Any:
    """None where a secret is in it: a masked number is none, and a masked state would mislead the next check."""
    return value if masker.data(value) == value else None


def _parsed(outcome: SandboxOutcome, masker: Masker, *, stderr: str) -> CheckResult:
    """From everything that was printed, or from what follows the cut: a line that goes through it is no line."""
    cut = outcome.stdout_cut > 0
    printed = _text(outcome.stdout[outcome.stdout_head_len :] if cut else outcome.stdout)
    if outcome.cause is None:
        return verdict.parse(printed, exit_code=outcome.exit_code, cut=cut, stderr=stderr, mask=masker.text)
    message = outcome.message
    if outcome.cause is Cause.TIMEOUT:
        message = f"{message} {verdict.unended(printed, cut=cut)}".rstrip()
    return CheckResult(verdict=Verdict.ERROR, cause=outcome.cause, message=message)


def _printed(content: bytes, *, cut: int, masker: Masker) -> str:
    """What the log keeps of a stream, masked. ``cut`` bytes of it are missing already."""
    left_out = len(content) + cut - 2 * MAX_KEPT
    if left_out <= 0:
        return masker.text(_text(content))
    head, tail = masker.cut_text(_text(content[:MAX_KEPT]), _text(content[-MAX_KEPT:]))
    return f"{head}\n[{left_out} bytes left out]\n{tail}"


def _text(content: bytes) -> str:
    return strict_json.storable(content.decode(errors="replace"))
