"""Every exercise proves itself: each state is executed on the real runtime.

What is built has no whole state before its gap; a break lab has, and that is executed, too, where
the repair does not give back the very same files. The reference repair is executed by the tests of
the notebooks: a solution holds it and its verdict.

The scenario is the one of the notebook: its cells with the tag ``scenario`` are run as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from labkit.build.attack import attacks, own_state, run
from labkit.build.catalogue import notebooks
from labkit.build.proof import played
from labkit.course.verdict import Verdict
from labkit.exercises import Exercise, ids, load
from labkit.exercises.catalogue import Edit
from labkit.exercises.checking import look, try_out
from labkit.exercises.deployment import prepare
from labkit.exercises.hinting import GENERAL

# The slowest took 138 s on two busy cores: an activity that sleeps while an approval is due.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


CASES = [pytest.param(id, id=id) for id in ids()]
BREAKS = [pytest.param(id, id=id) for id in ids() if load(id).kind == "break"]
MUTANTS_OF_EACH = 3
PLAYED = {n.target.stem: n.target for n in notebooks() if n.kind == "solution" and n.executed}


def pytest_generate_tests(metafunc):
    """Spread the answers over the tests: some of each exercise, or all with ``--every-answer``."""
    every = metafunc.config.getoption("every_answer")
    if "mutant" in metafunc.fixturenames:
        _spread(metafunc, "mutant", lambda e: e.mutants if every else e.mutants[:MUTANTS_OF_EACH])
    elif "one" in metafunc.fixturenames:
        _spread(metafunc, "one", lambda e: attacks(e, every=every))


def _spread(metafunc, argument, answers):
    cases = [(load(id), answer) for id in ids() for answer in answers(load(id))]
    params = [pytest.param(e.id, a.name, id=f"{e.id}-{a.name}") for e, a in cases]
    metafunc.parametrize(("id", argument), params)


@pytest.mark.parametrize("id", BREAKS)
def test_it_is_whole_before_the_fault(id):
    exercise = load(id)
    if not exercise.accident:
        repaired = _files(exercise, (*exercise.fault, *exercise.repair))
        if repaired == _files(exercise, exercise.healthy):
            # The notebook of the solution plays these very files: a test runs it, and its verdict
            # is one of those that are stored.
            solution = PLAYED[id]
            assert f"{id}: passed" in solution.read_text("utf-8")
            return
    with played(exercise, exercise.healthy, accident=False) as verdict:
        if not exercise.accident:
            assert verdict.passed, verdict
        else:  # all holds, and then there was nothing to repair
            _require_stopped(verdict, "accident", "it never ended")


@pytest.mark.parametrize("id", CASES)
def test_the_fault_or_the_gap_shows_its_symptom(id):
    exercise = load(id)
    with played(exercise, exercise.fault) as verdict:
        _require_stopped(verdict, exercise.symptom["step"], exercise.symptom["words"])


@pytest.mark.parametrize("id", CASES)
def test_another_right_answer_passes(id):
    exercise = load(id)
    assert (exercise.alternative, exercise.another_action) != (exercise.repair, exercise.action)
    edits, action = (*exercise.fault, *exercise.alternative), exercise.another_action
    with played(exercise, edits, action=action) as verdict:
        assert verdict.passed, verdict
        again = look(exercise, counter=False)  # as the terminal does after the notebook
        assert again.passed, again


def test_a_wrong_repair_is_stopped_at_its_step_with_its_words(id, mutant):
    exercise = load(id)
    wrong = next(m for m in exercise.mutants if m.name == mutant)
    edits = (*exercise.fault, *wrong.edits)
    if not wrong.action:
        # What the counter-scenario refuses cannot pass. Most are refused there with the same words
        # as in the learner's lab, which is half the work; the others are played whole.
        with own_state():  # the whole play gets a copy of its own
            prepare(exercise, edits)
            verdict = Verdict(id, tuple(try_out(exercise)))
        if _is_stopped(verdict, wrong.step, wrong.words):
            return
    with played(exercise, edits, action=wrong.action) as verdict:
        _require_stopped(verdict, wrong.step, wrong.words)


def test_an_attack_is_judged_rightly(id, one):
    exercise = load(id)
    attack = next(a for a in attacks(exercise) if a.name == one)
    verdict = run(exercise, attack)
    assert verdict.outcome in attack.accepted, verdict


@pytest.mark.parametrize("id", CASES)
def test_it_has_three_mutants_and_three_hints_for_each_step_that_stops(id):
    exercise = load(id)
    assert len(exercise.mutants) >= 3
    steps = {exercise.symptom["step"], *(m.step for m in exercise.mutants)}
    assert steps <= {key.partition(":")[0] for key in exercise.hints} | set(GENERAL)
    assert all(len(levels) == 3 for levels in exercise.hints.values())


def _files(exercise: Exercise, edits: Iterable[Edit]) -> dict[str, bytes]:
    """Return the files of a deployment after edits, by path."""
    with own_state():
        prepare(exercise, edits)
        files = [f for f in exercise.work.rglob("*") if f.is_file() and ".venv" not in f.parts]
        return {str(f.relative_to(exercise.work)): f.read_bytes() for f in files}


def _is_stopped(verdict: Verdict, step: str, words: str) -> bool:
    stopped = verdict.stopped_at
    return stopped is not None and stopped.step == step and words in stopped.observed


def _require_stopped(verdict: Verdict, step: str, words: str) -> None:
    stopped = verdict.stopped_at
    assert stopped is not None, f"it must not pass: {verdict}"
    assert stopped.step == step, verdict
    assert words in stopped.observed, verdict
