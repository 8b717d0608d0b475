"""``./lab incident``: you are called, something is wrong, and nobody knows what.

One or two faults are drawn blind on a running system under light load. You have everything that
somebody on call has: orders, processes, logs, metadata, histories, mails, ledgers, ``curl``, files.
Say what is wrong and where, repair it, and ask for the verdict. Type ``help`` at the prompt.

Commands can also come by standard input, one a line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit.errors import LabError
from labkit.incidents import drawing, kept, oncall, page
from labkit.incidents.desk import Desk


def main(argv: Sequence[str]) -> int:
    """Run an incident in this terminal; exit code 0 when it was solved, left or saved."""
    options = _parser().parse_args(argv)
    if options.save:
        return _save(options)
    if options.give_up:
        return _give_up()
    print("The system is being started, and has its first orders. This takes a while.", flush=True)
    incident = oncall.incident(options.seed, file=options.file, resume=options.resume)
    with incident:
        print(f"\n{incident.page}\n\nType help for the commands.", flush=True)
        _loop(Desk(incident, _ask))
    return 1 if kept.is_open() and not sys.stdin.isatty() else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./lab incident",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="draw the incident of this number")
    parser.add_argument("--from", dest="file", type=Path, help="the incident of a saved file")
    parser.add_argument("--save", type=Path, metavar="FILE", help="save one to a file; start none")
    parser.add_argument("--resume", action="store_true", help="go on with the one that was left")
    parser.add_argument("--give-up", action="store_true", help="close the one that was left")
    return parser


def _save(options: argparse.Namespace) -> int:
    sealed = drawing.draw(options.seed)
    drawing.save(sealed, options.save)
    print(f"saved incident {sealed.seed} in {options.save}; ./lab incident --from FILE begins it")
    return 0


def _give_up() -> int:
    """Close the incident that was left, without starting it again."""
    print(oncall.given_up(kept.load()))
    return 0


def _loop(desk: Desk) -> None:
    """Read and run lines until the incident is over or the input ends."""
    while not desk.is_over:
        try:
            line = _ask(f"\n[{page.clock(desk.incident.kept.clock)}] on call> ")
        except EOFError:
            print(f"\n{desk.run('leave')}")
            return
        try:
            print(desk.run(line), flush=True)
        except EOFError:
            print(f"\n{desk.run('leave')}")
        except LabError as problem:
            print(problem, flush=True)
        except KeyboardInterrupt:
            print("\nStopped. Type leave to end for now.", flush=True)


def _ask(prompt: str) -> str:
    if sys.stdin.isatty():
        return input(prompt)
    print(prompt, end="", flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    print(line.rstrip(), flush=True)
    return line.rstrip("\n")
