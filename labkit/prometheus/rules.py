"""Rules of alerts: read and tested by ``promtool``, its complaints with file and line."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from labkit.errors import DeploymentError
from labkit.prometheus.programs import program
from labkit.reading import plainfile, yamltree
from labkit.waiting import patience

SECONDS = 60
_AT = re.compile(r"^.*?: ([1-9]\d*):(\d+): (.*)$|line (\d+)", re.M)
_QUOTED = re.compile(r'"([^"]+)"')
_NOISE = re.compile(r"^(Checking|Unit Testing:|\s*(FAILED|SUCCESS).*)", re.M)


class WrongRules(DeploymentError):
    """A file with rules of alerts is wrong."""

    code = "wrong-rules"


def check_rules(file: Path) -> None:
    """Let promtool read a file with rules.

    Raises:
        WrongRules: it is no such file; names the line.
        NoPrometheus: promtool is not on this machine.
    """
    try:
        text = plainfile.read(file, yamltree.MOST_BYTES).decode("utf-8", "replace")
    except OSError as problem:
        raise _wrong(file, 0, *plainfile.why_not(problem)) from problem
    said = _complaints(["check", "rules", f"./{file.name}"], file.parent)
    if said:
        line = line_of(said, text)
        raise _wrong(file, line, said, "correct that line, then run the cell again")


def _wrong(file: Path, line: int, found: str, fix: str) -> WrongRules:
    return WrongRules(
        f"{file.name}{f', line {line}' if line else ''}: these rules cannot be used",
        asked=f"promtool check rules {file.name}",
        found=found,
        look_at=f"{file}{f':{line}' if line else ''}",
        fix=fix,
    )


def tested(tests: Path) -> str:
    """Let promtool play a file of unit tests for rules; return its complaints, or "".

    Raises:
        NoPrometheus: promtool is not on this machine.
    """
    return _complaints(["test", "rules", f"./{tests.name}"], tests.parent)


def line_of(said: str, text: str) -> int:
    """Return the line that promtool names, or that holds what it quotes; 0 when there is none."""
    if match := _AT.search(said):
        return int(match[1] or match[4])
    quoted = _QUOTED.search(said)
    lines = enumerate(text.splitlines(), 1)
    return next((n for n, line in lines if quoted and quoted[1] in line), 0)


def _complaints(arguments: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        [str(program("promtool")), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS * patience(),
        check=False,
    )
    if done.returncode == 0:
        return ""
    said = _NOISE.sub("", f"{done.stdout}\n{done.stderr}")
    return "\n".join(line.strip() for line in said.splitlines() if line.strip())
