"""Every answer to every exercise can be written: its edits fit the files that they change."""

from __future__ import annotations

import shutil

import pytest

from labkit.build.attack import attacks
from labkit.exercises import ids, load
from labkit.exercises.deployment import prepare


@pytest.mark.parametrize("id", ids())
def test_the_edits_of_all_answers_fit(id, tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    exercise = load(id)
    answers = [m.edits for m in exercise.mutants] + [exercise.alternative, exercise.repair]
    every = [(*exercise.fault, *edits) for edits in answers]
    every += [exercise.healthy, *(attack.edits for attack in attacks(exercise))]
    for edits in every:
        shutil.rmtree(exercise.work, ignore_errors=True)
        prepare(exercise, edits)  # raises EditDoesNotFit
