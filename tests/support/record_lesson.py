"""Records what Prometheus and promtool answer in lesson 15, for machines that have neither.

    python -m tests.support.record_lesson

Runs the lesson on the real runtime and writes ``labkit/prometheus/recorded/lesson.json``.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from labkit import paths, versions
from labkit.build import source
from labkit.build.catalogue import notebooks
from labkit.build.execute import execute
from labkit.prometheus import grading, program, standin
from labkit.prometheus.handle import Prometheus

LESSON = "15-watch-it"
FIRST = """\
import sys
sys.path[:0] = [{repo!r}]
from tests.support.record_lesson import begin
begin()
"""
ALERT = ("labels", "state", "annotations")
"""What is kept of an alert: its value and its time differ each second, and no answer shows them."""


def main() -> None:
    """Run the lesson with a first cell that notes every answer."""
    notebook = next(n for n in notebooks() if n.target.stem == LESSON)
    nb = source.read(notebook)
    first: Any = next(c for c in nb.cells if c.cell_type == "code")
    first.source = FIRST.format(repo=str(paths.repo())) + first.source
    execute(nb, notebook)
    print(f"{standin.FILE} is written")


def begin() -> None:
    """Note each answer of this process, and keep the file up to date."""
    told: dict[str, Any] = {
        "runtime": versions.DAPR_RUNTIME,
        "prometheus": _version(),
        "rules": "",
        "asked": {},
        "panels": {},
        "played": [],
        "graded": [],
    }
    get, panel = Prometheus._get, Prometheus.panel
    played, graded = grading.played, grading.graded

    def keep() -> None:
        standin.FILE.write_text(json.dumps(told, indent=1) + "\n", "utf-8")

    def noted_get(self: Prometheus, path: str, asked: Any) -> dict[str, Any]:
        answer = get(self, path, asked)
        if path != "targets" and not path.startswith(("query_range", "label/")):
            found = told["asked"].setdefault(standin.question(path, asked), [])
            kept = _kept(path, answer)
            if found[-1:] != [kept]:
                found.append(kept)
                keep()
        return answer

    def noted_played(rules: Any, series: Any, seconds: int = 60) -> list[str]:
        fired = played(rules, series, seconds)
        asked = {"rules": rules.read_text(), "series": dict(series), "seconds": seconds}
        _note(told["played"], asked, fired)
        keep()
        return fired

    def noted_graded(rules: Any, against: Any = None) -> list[grading.Grade]:
        found = graded(rules, against)
        fired = {g.recording.name: g.fired for g in found}
        _note(told["graded"], {"rules": rules.read_text()}, fired)
        told["rules"] = rules.read_text()
        keep()
        return found

    def noted_panel(self: Prometheus, title: str, dashboard: Any = "workflows", **more: Any) -> Any:
        found = panel(self, title, dashboard, **more)
        shown = {"text": str(found.text), "svg": found.svg, "said": repr(found)}
        told["panels"][standin.panel_key(title, dashboard)] = shown
        keep()
        return found

    Prometheus.panel = noted_panel  # type: ignore[method-assign]
    Prometheus._get = noted_get  # type: ignore[method-assign]
    grading.played, grading.graded = noted_played, noted_graded


def _note(found: list[dict[str, Any]], asked: dict[str, Any], fired: Any) -> None:
    if all(one["asked"] != asked for one in found):
        found.append({"asked": asked, "fired": fired})


def _kept(path: str, answer: dict[str, Any]) -> dict[str, Any]:
    if path != "alerts":
        return answer
    found = ({k: a[k] for k in ALERT if k in a} for a in answer["alerts"])
    return {"alerts": sorted(found, key=lambda a: json.dumps(a, sort_keys=True))}


def _version() -> str:
    argv = [str(program("prometheus")), "--version"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True)
    return (said.stdout or said.stderr).split()[2]


if __name__ == "__main__":
    main()
