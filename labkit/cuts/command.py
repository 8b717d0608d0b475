"""``./lab cuts PATH``: kill anything at every recorded event, and ask whether a promise holds.

Runs a workflow of a run file once to learn its recorded events, then again and again, each time in
a lab of its own with one cut: a process is killed at one event, and brought back. When the workflow
has ended, the invariant is asked: a function (lab, instance_id) that raises AssertionError, or
returns what is wrong. It goes on where it was interrupted, as long as no file has changed.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.cuts.outcome import Result
from labkit.cuts.plan import HOWS, RAISES, VICTIMS, Cut, Point, Victim, sample
from labkit.cuts.study import Report, Study
from labkit.cuts.svg import picture
from labkit.cuts.table import table
from labkit.errors import DeploymentError
from labkit.host.console import Console
from labkit.reading import plainfile

_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
MOST_SECONDS = 3600
MOST_INPUT = 4_000_000
"""Bytes of a file with an input; a sidecar takes 4 MB."""


class WrongOption(DeploymentError):
    """An option names something that is not there."""

    code = "wrong-option"


def main(argv: Sequence[str]) -> int:
    """Play the cuts; exit code 0 when the promise held in all of them."""
    parser = _parser()
    options = parser.parse_args(argv)
    known: list[Victim] = list(RAISES if options.how == "raise" else VICTIMS)
    _victims(options.victims, known)  # what needs no run is said before one
    if options.svg and not Path(options.svg).absolute().parent.is_dir():
        parser.error(f"--svg {options.svg}: there is no such folder")
    study = Study(
        options.path,
        options.workflow,
        _json_of(options.input),
        options.invariant,
        host=options.app,
        events=dict(_event(e) for e in options.event),
        delay=options.delay,
        away=options.away,
        end=options.end,
        fresh=options.fresh,
    )
    console = Console()
    console.line("the run without a cut")
    uncut, points = study.record()
    cuts = _chosen(options, study, points) if not uncut.is_bad else []
    if options.only and cuts:
        return _one(study, cuts[0], options)
    told = _Told(console)
    report = study.run(cuts, at_once=options.at_once, told=told, keep=options.keep)
    if options.svg:
        Path(options.svg).write_text(picture(report), "utf-8")
    print(json.dumps(report.as_dict()) if options.json else _text(report, options))
    return 0 if report.held else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./lab cuts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="victims of kill and stop:\n"
        + "".join(f"  {name:<12}{what}\n" for name, what in VICTIMS.items())
        + "victims of raise:\n"
        + "".join(f"  {name:<12}{what}\n" for name, what in RAISES.items()),
    )
    add = parser.add_argument
    add("path", help="a run file (dapr.yaml), or its folder")
    add("--workflow", required=True, help="its name, as it is registered")
    add("--input", required=True, metavar="FILE", help="a JSON file with the input")
    add("--invariant", required=True, metavar="FILE:FUNCTION", help="what must hold")
    add("--app", help="the app that hosts the workflow; the first of the run file by default")
    add("--event", action="append", default=[], metavar="NAME=JSON",
        help="an external event that is raised right after the start; can be repeated")  # fmt: skip
    add(
        "--how",
        choices=list(HOWS),
        default="kill",
        help="; ".join(f"{k}: {v}" for k, v in HOWS.items()),
    )
    add("--victims", metavar="A,B", help="whom a cut hits; all by default")
    add("--events", metavar="1,4-7", help="the numbers of the events; all by default")
    add("--sample", type=_count, metavar="N", help="only N of the cuts, drawn by --seed")
    add("--seed", type=int, default=1)
    add("--only", metavar="CUT", help="play one cut again, such as 07-worker, and keep its folder")
    add("--at-once", type=_count, metavar="N", help="labs side by side; as many as fit by default")
    add("--delay", type=_seconds, default=0.0, metavar="SECONDS", help="from an event to its cut")
    add(
        "--away",
        type=_seconds,
        default=0.5,
        metavar="SECONDS",
        help="until what was hit comes back",
    )
    add(
        "--end",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="deadline for the end of a run",
    )
    add("--keep", action="store_true", help="keep every run folder, not only those of violations")
    add("--fresh", action="store_true", help="forget what an earlier sitting has found")
    add("--svg", metavar="FILE", help="write the report as a picture, too")
    add("--json", action="store_true", help="one JSON object on standard output")
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MOST_SECONDS:  # also not a number
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {MOST_SECONDS} seconds")
    return seconds


def _chosen(options: argparse.Namespace, study: Study, points: Sequence[Point]) -> list[Cut]:
    known: list[Victim] = list(RAISES if options.how == "raise" else VICTIMS)
    cuts = study.cuts(_victims(options.victims, known), options.how)
    if options.only:
        found = [c for c in cuts if c.name == options.only]
        return found or _unknown("--only", options.only, [c.name for c in cuts])
    numbers = _numbers(options.events, len(points))
    cuts = [c for c in cuts if c.point.number in numbers]
    return sample(cuts, options.sample, options.seed) if options.sample else cuts


def _victims(given: str | None, known: list[Victim]) -> list[Victim]:
    named = [v.strip() for v in given.split(",")] if given else list(known)
    wrong = [v for v in named if v not in known]
    return _unknown("--victims", wrong[0], known) if wrong else [v for v in known if v in named]


def _numbers(given: str | None, last: int) -> set[int]:
    if not given:
        return set(range(1, last + 1))
    found: set[int] = set()
    for part in given.split(","):
        match = _RANGE.fullmatch(part.strip())
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= low <= high <= last:
            _unknown("--events", part, [f"1-{last}"])
        found |= set(range(low, high + 1))
    return found


def _unknown(option: str, given: str, known: Sequence[str]) -> Any:
    raise WrongOption(
        f"{option} names something that is not there",
        asked=f"{option} {given}",
        found=f"there are: {', '.join(known)}",
        look_at="./lab cuts --help",
        fix="use one of these",
    )


def _json_of(file: str) -> Any:
    try:
        return json.loads(plainfile.read(Path(file), MOST_INPUT).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise WrongOption(
            "the input of the workflow cannot be read",
            asked=f"--input {file}",
            found=f"{type(problem).__name__}: {problem}",
            look_at=file,
            fix='write a file with one JSON value, such as {"order_id": "order-1"}',
        ) from problem


def _event(given: str) -> tuple[str, Any]:
    name, _, value = given.partition("=")
    try:
        return name, json.loads(value) if value else None
    except (ValueError, RecursionError) as problem:
        raise WrongOption(
            "the value of an event is not JSON",
            asked=f"--event {given}",
            found=str(problem),
            look_at="./lab cuts --help",
            fix="""write NAME=JSON, such as --event 'approval={"approved": true}'""",
        ) from problem


def _one(study: Study, cut: Cut, options: argparse.Namespace) -> int:
    """Play one cut, and say what came of it and where its traces are."""
    result = study.one(cut)
    if options.json:
        print(json.dumps(result.as_dict()))
    else:
        print(f"{cut.name}: {cut.how} {cut.victim} at {cut.point.app_id}: {cut.point}")
        print(f"{result.outcome}, {result.status or 'no status'}, {result.seconds:.1f} s after it")
        print(*filter(None, [result.words, f"logs, ledgers and mails: {result.folder}"]), sep="\n")
    return 1 if result.is_bad else 0


def _text(report: Report, options: argparse.Namespace) -> str:
    lines = [str(table(report)), f"{report.seconds:.0f} s"]
    if any(r.cut != "uncut" for r in report.bad):
        lines.append("to play one again, add to the command: --only CUT")
    return "\n".join(lines)


class _Told:
    """Says after each cut how far the study is, and how long the rest will take."""

    def __init__(self, console: Console) -> None:
        self._console, self._began, self._first = console, time.monotonic(), -1

    def __call__(self, result: Result, done: int, total: int) -> None:
        if self._first < 0:
            self._first = done - 1
        each = (time.monotonic() - self._began) / (done - self._first)
        left = f"{each * (total - done):.0f} s left"
        if result.is_bad:
            self._console.line(f"{result.cut}: {result.outcome}: {result.words}")
        self._console.progress(f"{done} of {total} cuts, {left}", done, total)
