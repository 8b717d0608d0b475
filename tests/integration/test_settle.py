"""A workflow on a busy machine is not called at a standstill because the machine is slow."""

from __future__ import annotations

import time

import pytest

from labkit.labs import workflowrun


@pytest.mark.parametrize(("factor", "least"), [(1.0, 0.3), (3.0, 1.3)])
def test_a_busy_machine_gets_more_time_before_a_workflow_stands_still(
    make_lab, small, monkeypatch, factor, least
):
    monkeypatch.setattr(workflowrun, "BUSY_SECONDS", 0.5)
    lab = make_lab(small)
    lab.up("caller", announce=False)
    lab.client("caller").schedule_new_workflow("call", input={}, instance_id="w")
    lab.run("w").settle(3)
    monkeypatch.setattr(workflowrun, "patience", lambda: factor)
    began = time.monotonic()
    assert lab.run("w").settle(0.3) == "RUNNING"
    assert time.monotonic() - began >= least


def test_a_workflow_that_goes_on_slowly_is_followed_to_its_end(make_lab, small):
    lab = make_lab(small)
    lab.up(announce=False)
    lab.client("caller").schedule_new_workflow("paced", input={}, instance_id="w")
    assert lab.run("w").settle(2) == "COMPLETED"
