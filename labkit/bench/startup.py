"""What ``lab.up()`` costs, against the same processes started by a minimal script.

The floor starts the very command lines and environments of the lab, all at once, with nothing
around them, and polls the same readiness. Both are measured in turn, so that the load of the
machine falls on both alike.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import httpx

from labkit.bench import median
from labkit.lab import Lab

APPS = ("task-orchestrator-service", "notification-service", "audit-service")


@dataclass(frozen=True)
class Recipe:
    """One process as the lab starts it."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: Path


def measure(runs: int) -> dict[str, Any]:
    """Return medians in seconds: ``floor_s``, ``lab_s``, ``stop_s``, and ``ratio`` lab to floor."""
    floors, labs, stops = [], [], []
    _one_lab()  # fills the caches of files and byte code
    for _ in range(runs):
        lab_s, stop_s, recipes, urls = _one_lab()
        labs.append(lab_s)
        stops.append(stop_s)
        floors.append(_one_floor(recipes, urls))
    return {
        "floor_s": median(floors),
        "lab_s": median(labs),
        "ratio": round(median(labs) / median(floors), 2),
        "stop_s": median(stops),
        "runs": runs,
    }


def _one_lab() -> tuple[float, float, list[Recipe], list[tuple[str, dict[str, str]]]]:
    lab = Lab()
    began = time.monotonic()
    with redirect_stdout(StringIO()):
        lab.up(*APPS)
    ready = time.monotonic() - began
    recipes = [Recipe(p.argv, dict(p.env), p.cwd) for p in lab.processes()]
    urls = [
        (f"http://127.0.0.1:{app.http_port}/v1.0/metadata", {"dapr-api-token": app.shared.token})
        for app in lab.started_apps()
    ]
    began = time.monotonic()
    lab.down()
    stopped = time.monotonic() - began
    for left in lab.folder.glob("statestore.sqlite*"):
        left.unlink()
    return ready, stopped, recipes, urls


def _one_floor(recipes: list[Recipe], urls: list[tuple[str, dict[str, str]]]) -> float:
    _fresh_store(recipes)
    began = time.monotonic()
    children = [
        subprocess.Popen(
            r.argv,
            env=r.env,
            cwd=r.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for r in recipes
    ]
    try:
        with httpx.Client(trust_env=False, timeout=1) as http:
            while not all(_ready(http, *url) for url in urls):
                time.sleep(0.02)
        return time.monotonic() - began
    finally:
        for child in children:
            child.terminate()
        for child in children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(5)
            child.kill()


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
