"""The property of replay and of the run in process, on the real runtime, for every deployment.

One lab for each run file, in which every scenario is run again; the kept recordings of
``tests/unit/test_recorded_runs.py`` are of such runs.
"""

from __future__ import annotations

import pytest

from labkit.history import status_of
from tests.support.scenario_table import DEPLOYMENTS
from tests.support.scenarios import copied, in_process, misfits, record, recorded_runs, same_end


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d.name)
def test_every_workflow_replays_and_ends_in_process_as_on_the_runtime(deployment, tmp_path):
    outcomes = record(deployment, tmp_path / "lab")
    kept, wrong = recorded_runs(deployment.name), []
    for scenario in deployment.scenarios:
        made, own = outcomes[scenario.name], tmp_path / scenario.name
        wrong += misfits(deployment, scenario, made, own)
        status = {k: o.status for k, o in made.items()}
        if not scenario.large and status != {k: o.status for k, o in kept[scenario.name].items()}:
            wrong.append(f"{scenario.name} ended {status}, not as recorded: record it again")
        if scenario.only_real:
            continue
        copied(deployment, own)
        for name, outcome in in_process(deployment, scenario, made, own).items():
            if same_end(outcome) != same_end(made[name]):
                wrong.append(f"{name}: {same_end(outcome)}, on the runtime {same_end(made[name])}")
            if status_of(made[name].events) != made[name].status:
                wrong.append(f"{name}: its history says otherwise than {made[name].status}")
    assert wrong == []
