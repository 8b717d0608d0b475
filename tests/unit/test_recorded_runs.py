"""What the real runtime made of workflows: replay fits it, and the run in process ends the same.

Which workflows there are is read from the code; each must have a scenario. The runs are kept in
``tests/data/runs``; ``tests/integration/test_runs.py`` makes them again.
"""

from __future__ import annotations

import pytest

from labkit import paths
from tests.support.lessons import SOURCES, files_of
from tests.support.scenario_table import DEPLOYMENTS, LEFT_OUT
from tests.support.scenarios import (
    copied,
    in_process,
    misfits,
    recorded_runs,
    same_end,
    workflows_of,
)

RUNS = {d.name: recorded_runs(d.name) for d in DEPLOYMENTS}
KEPT = [(d, s) for d in DEPLOYMENTS for s in d.scenarios if not s.large]
IDS = [f"{d.name}-{s.name}" for d, s in KEPT]


def test_every_run_file_of_the_services_is_a_deployment():
    files = {f for f in (paths.repo() / "services").rglob("dapr.yaml") if ".venv" not in f.parts}
    assert files <= {d.run_file for d in DEPLOYMENTS}


def test_every_lesson_that_writes_services_is_a_deployment_or_says_why_not():
    writing = {
        source.stem
        for source in SOURCES.glob("*.py")
        if any(name.endswith("main.py") for name in files_of(source.stem))
    }
    deployed = {
        f"{lesson}"
        for lesson in writing
        for d in DEPLOYMENTS
        if any((d.run_file.parent / name).is_file() for name in files_of(lesson))
    }
    assert writing == deployed | set(LEFT_OUT)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d.name)
def test_every_workflow_that_an_app_registers_was_run(deployment):
    run = {
        (o.events[0].app_id, next(e.name for e in o.events if e.kind == "executionStarted"))
        for outcomes in RUNS[deployment.name].values()
        for o in outcomes.values()
    }
    large = {(s.app_id, s.workflow) for s in deployment.scenarios if s.large}
    assert workflows_of(deployment) - run - large == set()


@pytest.mark.parametrize(("deployment", "scenario"), KEPT, ids=IDS)
def test_a_recorded_history_replays_without_a_mismatch(deployment, scenario, tmp_path):
    assert misfits(deployment, scenario, RUNS[deployment.name][scenario.name], tmp_path) == []


@pytest.mark.parametrize(
    ("deployment", "scenario"),
    [pair for pair in KEPT if not pair[1].only_real],
    ids=[i for i, (_, s) in zip(IDS, KEPT, strict=True) if not s.only_real],
)
def test_the_run_in_process_ends_as_the_runtime_did(deployment, scenario, tmp_path):
    recorded = RUNS[deployment.name][scenario.name]
    copied(deployment, tmp_path)
    made = in_process(deployment, scenario, recorded, tmp_path)
    assert {k: same_end(o) for k, o in made.items()} == {
        k: same_end(o) for k, o in recorded.items()
    }
