"""What a shell asks while somebody types: ``manage.py shellcompletion complete "manage.py customcheck li"``.

The scripts that ask are those that django_typer installs, and the lines that they read are as it writes them.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from typer._click.core import Command
from typer._click.shell_completion import CompletionItem, _resolve_context, _resolve_incomplete, split_arg_string


def _help(item: CompletionItem) -> str:
    return " ".join((item.help or "").split())


FORMATS: Mapping[str, Callable[[CompletionItem], str]] = {
    "bash": lambda item: f"{item.type},{item.value}",
    "fish": lambda item: f"{item.type},{item.value}" + (f"\t{_help(item)}" if item.help else ""),
    "zsh": lambda item: f"{item.type}\n{item.value}\n{_help(item) or '_'}",
}


@dataclass(frozen=True)
class Question:
    """The words after ``customcheck``, the last one not ended yet."""

    shell: str
    words: Sequence[str]

    def answer(self, command: Command) -> str:
        *words, begun = self.words
        context = _resolve_context(command, {}, "", words)
        asked, begun = _resolve_incomplete(context, words, begun)
        return "\n".join(map(FORMATS[self.shell], asked.shell_complete(context, begun)))


def question(words: Sequence[str], *, command: str) -> Question | None:
    """Of the words after ``manage.py``; None where something else than our command is to be completed."""
    if words[:1] != ["shellcompletion"] or "complete" not in words:
        return None
    place = words.index("complete")
    shell = _shell(words[1:place])
    line, *cursor = [word for word in words[place + 1 :] if not word.startswith("--")] or [""]
    typed = line[: int(cursor[0])] if cursor and cursor[0].isdecimal() else line
    split = split_arg_string(typed.replace("\\", "\\\\")) + ([""] if typed.endswith(" ") else [])
    if shell not in FORMATS or command not in split[:-1][:3]:  # after at most: python manage.py
        return None
    return Question(shell, split[split.index(command) + 1 :])


def _shell(options: Sequence[str]) -> str:
    if "--shell" in options[:-1]:
        return options[options.index("--shell") + 1]
    return Path(os.environ.get("SHELL", "bash")).name
