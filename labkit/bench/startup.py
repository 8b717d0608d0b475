"""What ``lab.up()`` costs, against the same processes started by a minimal script.

The floor starts the very command lines and environments of the lab, all at once, with nothing
around them, and polls the same readiness. Both are measured in turn, so that the load of the
machine falls on both alike.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import httpx

from labkit.bench import median
from labkit.errors import StartError
from labkit.labs.lab import Lab
from labkit.processes import ports
from labkit.reading import plainhttp
from labkit.waiting import wait_until

APPS = ("task-orchestrator-service", "notification-service", "audit-service")


FLOOR_SECONDS = 60.0
"""Deadline of one start of the floor, which takes about 1.5 s."""
Url = tuple[str, dict[str, str]]


class PortsLost(StartError):
    """The ports of the lab that was measured belong to another one now."""

    code = "ports-lost"


class FloorEnded(StartError):
    """A process of the floor ended before all were ready."""

    code = "floor-ended"


@dataclass(frozen=True)
class Measured:
    """What one lab took, in seconds, and what is needed to start the same without it."""

    ready_s: float
    stop_s: float
    recipes: list[Recipe]
    urls: list[Url]
    first_port: int


@dataclass(frozen=True)
class Recipe:
    """One process as the lab starts it."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: Path


def measure(runs: int) -> dict[str, Any]:
    """Return medians in seconds: ``floor_s``, ``lab_s``, ``stop_s``, and ``ratio`` lab to floor."""
    floors, labs, stops = [], [], []
    _one_lab()  # fills the caches of files and byte code
    for _ in range(runs):
        found = _one_lab()
        labs.append(found.ready_s)
        stops.append(found.stop_s)
        floors.append(_one_floor(found))
    return {
        "floor_s": median(floors),
        "lab_s": median(labs),
        "ratio": round(median(labs) / median(floors), 2),
        "stop_s": median(stops),
        "runs": runs,
    }


def _one_lab() -> Measured:
    lab = Lab()
    began = time.monotonic()
    with redirect_stdout(StringIO()):
        lab.up(*APPS)
    ready = time.monotonic() - began
    recipes = [Recipe(p.name, p.argv, dict(p.env), p.cwd) for p in lab.processes()]
    urls = [
        (f"http://127.0.0.1:{app.ports.http}/v1.0/metadata", {"dapr-api-token": app.shared.token})
        for app in lab.started_apps()
    ]
    first_port = json.loads((lab.folder / "run.json").read_text("utf-8"))["first_port"]
    began = time.monotonic()
    lab.down()
    stopped = time.monotonic() - began
    for left in lab.folder.glob("statestore.sqlite*"):
        left.unlink()
    return Measured(ready, stopped, recipes, urls, first_port)


def _one_floor(lab: Measured) -> float:
    """Return the seconds that the same processes need with nothing around them."""
    _fresh_store(lab.recipes)
    with closing(_same_ports(lab.first_port)):
        began = time.monotonic()
        children = {r.name: _start(r) for r in lab.recipes}
        try:
            _wait_ready(children, lab.urls)
            return time.monotonic() - began
        finally:
            _end(children.values())


def _same_ports(first: int) -> ports.PortBlock:
    """Hold the block of ports that the lab had: another lab would answer in its place."""
    block = ports.reserve(prefer=first)
    if block.first == first:
        return block
    block.close()
    raise PortsLost(
        "another lab has taken the ports of this measurement",
        asked=f"the block of ports from {first}",
        found=f"it is held by somebody else; the next free one begins at {block.first}",
        look_at="./lab ps",
        fix="measure again when no other lab starts: ./lab bench startup",
    )


def _wait_ready(children: Mapping[str, subprocess.Popen[bytes]], urls: Sequence[Url]) -> None:
    with plainhttp.client(1) as http:

        def ready() -> bool:
            ended = [name for name, child in children.items() if child.poll() is not None]
            if ended:
                raise FloorEnded(
                    f"{', '.join(ended)} ended while the floor was measured",
                    asked="the processes of a lab, started without it",
                    found=f"exit codes {[children[n].returncode for n in ended]}",
                    look_at="./lab bench startup",
                    fix="measure again; if it happens twice: ./lab doctor",
                )
            return all(_ready(http, *url) for url in urls)

        wait_until(ready, what="the workers of the floor are connected", usual=FLOOR_SECONDS)


def _start(recipe: Recipe) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        recipe.argv,
        env=recipe.env,
        cwd=recipe.cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end(children: Iterable[subprocess.Popen[bytes]]) -> None:
    children = list(children)
    for child in children:
        child.terminate()
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(5)
        child.kill()
        child.wait()


def _fresh_store(recipes: list[Recipe]) -> None:
    import sqlite3

    folder = next(r.cwd for r in recipes if "--app-id" in r.argv)
    for left in folder.glob("statestore.sqlite*"):
        left.unlink()
    with sqlite3.connect(folder / "statestore.sqlite") as db:
        db.execute("PRAGMA journal_mode=WAL")


def _ready(http: httpx.Client, url: str, headers: dict[str, str]) -> bool:
    try:
        said = http.get(url, headers=headers).json()
    except (httpx.HTTPError, ValueError):
        return False
    actors = said.get("actorRuntime") or {}
    workers = (said.get("workflows") or {}).get("connectedWorkers", 0)
    return bool(workers and actors.get("activeActors") and actors.get("hostReady"))
