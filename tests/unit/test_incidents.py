"""Drawing, sealing, files, questions and reports of incidents; nothing is started here."""

from __future__ import annotations

import ast
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import yaml

from labkit import paths
from labkit.course import evidence
from labkit.exercises import in_order
from labkit.incidents import deployed, drawing, judging, kept, report
from labkit.incidents.asked import Asked
from labkit.incidents.deployed import edited_texts, repaired, system_of
from labkit.incidents.desk import Desk, WrongCommand
from labkit.incidents.drawing import Sealed, WrongIncident, draw, seal, unseal
from labkit.incidents.faults import causes, faults
from labkit.incidents.judging import OneIsOpen, WrongDiagnosis
from labkit.incidents.kept import Diagnosis, Kept, NoIncident, Placed

DRAWN = {id for id, f in faults().items() if f.is_drawn}
FAULTS = [pytest.param(id, id=id) for id in faults() if id in DRAWN]


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))


# --- what can be wrong -----------------------------------------------------------------------


def test_every_break_lab_can_be_an_incident_and_there_are_more():
    breaks = {e.id for e in in_order() if e.kind == "break"}
    assert breaks <= set(faults())
    assert len(DRAWN) >= 25
    assert DRAWN - breaks


@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_fits_its_system_and_its_repair_fits_the_fault(id):
    fault = faults()[id]
    whole = deployed.originals(system_of(fault))
    broken = edited_texts(whole, [fault])
    whole_again = repaired(broken, fault)
    assert (whole_again == broken) == bool(fault.exercise.accident)


@pytest.mark.parametrize("id", FAULTS)
def test_the_files_of_an_incident_can_be_read_before_and_after_the_repair(id):
    fault = faults()[id]
    broken = edited_texts(deployed.originals(system_of(fault)), [fault])
    for name, text in [*broken.items(), *repaired(broken, fault).items()]:
        if name.endswith(".yaml"):
            assert yaml.safe_load(text)
        elif name.endswith(".py"):
            ast.parse(text)


@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_is_one_of_several_differences_from_the_services(id):
    fault = faults()[id]
    whole = deployed.originals(system_of(fault))
    broken = edited_texts(whole, [fault])
    changed = {name for name, text in broken.items() if whole.get(name) != text}
    assert len(changed - {e.file for e in fault.exercise.fault}) >= 1


@pytest.mark.parametrize("id", FAULTS)
def test_a_place_of_a_fault_is_a_file_of_the_system_or_a_process(id):
    fault = faults()[id]
    files = set(edited_texts(deployed.originals(system_of(fault)), [fault]))
    apps = system_of(fault).apps
    parts = {f"{a} {p}" for a in apps for p in ("sidecar", "worker")}
    assert fault.places
    assert fault.places <= files | parts | {"placement", "scheduler", "mail"}


def test_what_a_whole_deployment_has_too_is_no_place_of_the_fault():
    assert "dapr.yaml" not in faults()["sidecars-end"].places


def test_the_cause_of_a_fault_is_among_those_that_are_offered_once():
    assert sorted(set(causes())) == sorted(causes())
    assert {f.cause for f in faults().values()} == set(causes())


# --- drawing ---------------------------------------------------------------------------------


def test_every_fault_is_drawn_by_some_seed():
    drawn = {id for seed in range(400) for id in draw(seed).faults}
    assert drawn == DRAWN


def test_a_seed_draws_the_same_incident_again():
    assert [draw(seed) for seed in range(20)] == [draw(seed) for seed in range(20)]
    assert len({draw(seed).faults for seed in range(20)}) > 5


def test_some_incidents_have_two_faults_that_can_be_repaired_in_any_order():
    pairs = [d.opened() for d in map(draw, range(40)) if len(d.faults) == 2]
    assert pairs
    for first, second in pairs:
        assert first.cause != second.cause
        broken = edited_texts(deployed.originals(system_of(first)), [first, second])
        one_way = repaired(repaired(broken, first), second)
        assert one_way == repaired(repaired(broken, second), first)


def test_a_new_fault_leaves_most_draws_as_they_are(monkeypatch):
    before = [draw(seed).faults[0] for seed in range(60)]
    fewer = dict(list(faults().items())[1:])
    monkeypatch.setattr(drawing, "faults", lambda: fewer)
    assert sum(draw(s).faults[0] == b for s, b in enumerate(before)) > 50


# --- sealed ----------------------------------------------------------------------------------


def told(fault):
    """What a text must not hold: the ID, the cause, and longer words of its places."""
    return [fault.id, fault.cause, *(p for p in fault.places if "/" in p)]


@pytest.mark.parametrize("id", FAULTS)
def test_neither_a_saved_file_nor_the_kept_state_tells_the_fault(id, tmp_path):
    sealed = Sealed(7, (id,))
    file = tmp_path / "incident.txt"
    drawing.save(sealed, file)
    Kept(sealed).save()
    for text in (file.read_text(), kept.file().read_text()):
        assert not [words for words in told(faults()[id]) if words in text]
    assert drawing.read(file) == sealed
    assert kept.load().sealed == sealed


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([], "line 1"),
        (["another file"], "line 1"),
        ([drawing.FORM], "line 2"),
        ([drawing.FORM, "number 7", seal(Sealed(7, ("a",)))], "line 2"),
        ([drawing.FORM, "seed 8", seal(Sealed(7, ("a",)))], "line 2"),
        ([drawing.FORM, "seed 7", "x" + seal(Sealed(7, ("a",)))], "line 3"),
        ([drawing.FORM, "seed 7", ""], "line 3"),
    ],
)
def test_a_file_that_is_no_incident_is_refused_with_its_line(lines, line, tmp_path):
    file = tmp_path / "case.txt"
    file.write_text("\n".join(lines))
    with pytest.raises(WrongIncident) as problem:
        drawing.read(file)
    assert f"{file}, {line}" in problem.value.asked


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WrongIncident) as problem:
        drawing.read(tmp_path / "none.txt")
    assert "none.txt" in problem.value.asked


def test_an_incident_of_another_version_is_refused_without_telling_its_fault():
    with pytest.raises(WrongIncident) as problem:
        unseal(seal(Sealed(1, ("a-fault-of-next-year",))), "here").opened()
    assert "a-fault-of-next-year" not in str(problem.value)


# --- what is kept ----------------------------------------------------------------------------


def test_what_was_kept_is_there_again():
    open_ = Kept(Sealed(3, ("nobody-answers",)), spent=61.0)
    open_.orders.append(Placed("order-1", 0, {"task_id": "x"}, 1.5))
    open_.diagnoses.append(Diagnosis(4.0, "dapr.yaml", causes()[0], "it said so"))
    open_.save()
    again = kept.load()
    assert (again.orders, again.diagnoses) == (open_.orders, open_.diagnoses)
    assert again.clock == pytest.approx(61.0)
    assert kept.file().stat().st_mode & 0o077 == 0


def test_without_an_open_incident_there_is_nothing_to_go_on_with():
    with pytest.raises(NoIncident) as problem:
        kept.load()
    assert "./lab incident" in problem.value.fix


def test_a_torn_state_is_named():
    kept.file().write_text("{")
    with pytest.raises(NoIncident) as problem:
        kept.load()
    assert str(kept.file()) in problem.value.found


def test_an_order_that_comes_back_late_does_not_open_a_closed_incident_again():
    open_ = Kept(Sealed(3, ("nobody-answers",)))
    open_.save()
    open_.close()
    open_.save()
    assert not kept.is_open()


def test_an_incident_that_was_closed_elsewhere_stays_closed():
    Kept(Sealed(3, ("nobody-answers",))).save()
    here, elsewhere = kept.load(), kept.load()
    elsewhere.close()
    here.save()
    assert not kept.is_open()


def test_what_two_threads_save_at_once_is_whole_and_the_newest():
    open_ = Kept(Sealed(3, ("nobody-answers",)))

    def diagnose(name):
        for number in range(50):
            open_.diagnoses.append(Diagnosis(0.0, name, str(number)))
            open_.save()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(diagnose, name) for name in "abcd"]:
            done.result()
    assert len(kept.load().diagnoses) == 200


def test_no_second_incident_is_begun_while_one_is_open():
    Kept(Sealed(3, ("nobody-answers",))).save()
    with pytest.raises(OneIsOpen) as problem:
        judging.require_none_open()
    assert "--resume" in problem.value.fix


# --- the diagnosis ---------------------------------------------------------------------------


def on_call(*ids, diagnoses=()):
    """An incident without a lab, as far as a diagnosis needs one."""
    chosen = tuple(faults()[id] for id in ids)
    open_ = Kept(Sealed(1, ids), diagnoses=[Diagnosis(5.0, *d) for d in diagnoses])
    places = sorted(edited_texts(deployed.originals(system_of(chosen[0])), chosen))
    return SimpleNamespace(kept=open_, faults=chosen, places=lambda: [*places, "mail"])


WRONG_ID = ("task-orchestrator-service/main.py", "wrong app ID in the call")


@pytest.mark.parametrize(
    ("ids", "diagnoses", "outcomes"),
    [
        (["nobody-answers"], [], ["unknown"]),
        (["nobody-answers"], [WRONG_ID], ["passed", "passed"]),
        (["nobody-answers"], [("dapr.yaml", WRONG_ID[1])], ["failed", "failed"]),
        (["nobody-answers"], [(WRONG_ID[0], "worker not connected")], ["passed", "failed"]),
        (["nobody-answers", "other-company"], [WRONG_ID], ["passed", "passed", "failed"]),
    ],
)
def test_a_diagnosis_is_judged_by_its_place_and_its_cause(ids, diagnoses, outcomes):
    rows = list(judging.diagnosed(on_call(*ids, diagnoses=diagnoses)))
    assert [row.outcome for row in rows] == outcomes
    said = " ".join(f"{r.checked} {r.expected} {r.observed} {r.look_at}" for r in rows)
    hidden = [p for id in ids for p in told(faults()[id])]
    given = {words for d in diagnoses for words in d}
    assert not [words for words in hidden if words in said and words not in given]


def test_both_faults_can_be_named_in_any_order():
    second = ("dapr.yaml", faults()["other-company"].cause)
    for order in ([WRONG_ID, second], [second, WRONG_ID]):
        rows = list(judging.diagnosed(on_call("nobody-answers", "other-company", diagnoses=order)))
        assert [row.outcome for row in rows] == ["passed", "passed"]


def test_a_diagnosis_can_name_a_cause_by_its_number():
    number = causes().index(WRONG_ID[1]) + 1
    found = judging.diagnosis(on_call("nobody-answers"), f"./{WRONG_ID[0]}", str(number), "so")
    assert (found.place, found.cause, found.words) == (*WRONG_ID, "so")


@pytest.mark.parametrize(
    ("place", "cause", "fix"),
    [
        ("task-orchestrator/main.py", WRONG_ID[1], "task-orchestrator-service/main.py"),
        (WRONG_ID[0], "wrong app ID", "wrong app ID in the call"),
        (WRONG_ID[0], "0", "take a cause"),
    ],
)
def test_a_place_or_cause_that_there_is_not_gets_the_nearest(place, cause, fix):
    with pytest.raises(WrongDiagnosis) as problem:
        judging.diagnosis(on_call("nobody-answers"), place, cause, "")
    assert fix in problem.value.fix


# --- questions and the report ----------------------------------------------------------------


class App:
    app_id = "audit-service"

    def metadata(self):
        return {"id": "audit-service"}


class Lab:
    folder = "a folder"

    def status(self):
        return "all running"

    def app(self, app_id):
        return App()

    def run(self, instance_id):
        return SimpleNamespace(instance_id=instance_id, status="RUNNING", history="events")

    def started_apps(self):
        return [App()]


def test_questions_are_noted_and_answered_by_the_lab_itself():
    asked = []
    lab = Asked(Lab(), lambda kind, about: asked.append((kind, about)))
    assert lab.status() == "all running"
    assert lab.app("audit-service").metadata() == {"id": "audit-service"}
    assert lab.run("order-1").status == "RUNNING"
    assert lab.run("order-1").history == "events"
    assert [a.metadata()["id"] for a in lab.started_apps()] == ["audit-service"]
    assert lab.folder == "a folder"
    assert asked == [
        ("processes", ""),
        ("sidecar", "audit-service"),
        ("result", "order-1"),
        ("history", "order-1"),
        ("sidecar", "audit-service"),
    ]


def test_what_the_lab_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError):
        getattr(Asked(Lab(), lambda kind, about: None), "nonsense")  # noqa: B009


def note_incident(id, seconds, to_cause, questions, how="solved"):
    evidence.note("incident", id, what="begun", seconds=0)
    for kind in questions:
        evidence.note("question", id, asked=kind, about="")
    evidence.note("incident", id, what="diagnosis", place="x", cause="y", seconds=to_cause)
    evidence.note("incident", id, what="verdict", outcome="passed")
    evidence.note("incident", id, what=how, seconds=seconds, to_cause=to_cause,
                  faults=["nobody-answers"])  # fmt: skip


def test_the_report_names_times_questions_and_earlier_incidents():
    note_incident("incident-1", 300, 200, ["log", "log", "history"])
    note_incident("incident-2", 200, 100, ["log"])
    note_incident("incident-3", 90, 65, ["log", "restart", "history"])
    said = report.of("incident-3")
    assert "wrong app ID in the call" in said
    assert "Time on call: 01:30. The cause was named: after 01:05." in said
    assert "Restarts: 1" in said
    assert "You asked for (2 questions): log 1, history 1." in said
    assert "Your 2 earlier ones: cause named after 02:30 (median), with 2 questions" in said


def test_one_that_was_given_up_is_reported_without_a_time_to_the_cause():
    note_incident("incident-1", 300, None, [], how="given up")
    said = report.of("incident-1")
    assert "incident-1: given up" in said
    assert "The cause was named: never." in said


def test_an_incident_that_was_begun_again_counts_from_its_beginning():
    evidence.note("incident", "incident-1", what="begun")
    evidence.note("question", "incident-1", asked="log")
    note_incident("incident-1", 10, 5, ["history"])
    assert "You asked for (1 questions): history 1." in report.of("incident-1")


def test_the_evidence_that_is_exported_holds_no_words_of_a_diagnosis():
    from labkit.course import progress

    evidence.note("incident", "incident-1", what="diagnosis", text="my secret words")
    assert "my secret words" not in json.dumps(progress.exported())


# --- the desk --------------------------------------------------------------------------------


def desk(**more):
    incident = SimpleNamespace(
        lab=Lab(), page="", up=lambda *a: "", restart=lambda *a: "", orders=str, **more
    )
    return Desk(incident, ask=lambda prompt: "")


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("statsu", "did you mean status?"),
        ("metadata", "metadata APP"),
        ("status now", "status"),
        ("logs 'a", "close the quotation marks"),
        ("orders many", "give a whole number"),
    ],
)
def test_a_line_that_is_no_command_gets_its_fix(line, fix):
    with pytest.raises(WrongCommand) as problem:
        desk().run(line)
    assert problem.value.fix == fix


def test_the_desk_answers_and_lists_its_commands():
    assert desk().run("status") == "all running"
    assert json.loads(desk().run("metadata audit-service")) == {"id": "audit-service"}
    listed = desk().run("help")
    assert all(re.search(rf"(?m)^  {re.escape(name)} ", listed) for name in desk().commands)


def test_the_desk_shows_no_file_outside_the_system():
    (paths.work() / "incident").mkdir()
    with pytest.raises(WrongCommand):
        desk(noted=lambda *a: None).run("show ../../progress.jsonl")


# --- files of incidents -----------------------------------------------------------------------


def test_an_incident_is_not_saved_over_somebody_elses_file(tmp_path):
    (tmp_path / "mine").write_text("mine")
    os.mkfifo(tmp_path / "pipe")
    for name in ("mine", "pipe", "nowhere/x", "."):
        with pytest.raises(drawing.NotSaved):
            drawing.save(draw(5), tmp_path / name)
    assert (tmp_path / "mine").read_text() == "mine"
    drawing.save(draw(5), tmp_path / "new")
    drawing.save(draw(6), tmp_path / "new")
    assert drawing.read(tmp_path / "new").seed == 6


def test_an_incident_is_read_from_a_file_of_windows_and_not_from_a_pipe(tmp_path):
    drawing.save(draw(5), tmp_path / "a")
    text = (tmp_path / "a").read_bytes().replace(b"\n", b"\r\n")
    (tmp_path / "b").write_bytes(b"\xef\xbb\xbf" + text)
    assert drawing.read(tmp_path / "b").seed == 5
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WrongIncident):
        drawing.read(tmp_path / "pipe")


@pytest.mark.parametrize("text", ['{"sealed": 5}', "[" * 100_000, "\0", "5"])
def test_a_kept_incident_that_is_damaged_is_said(tmp_path, monkeypatch, text):
    monkeypatch.setattr(kept, "file", lambda: tmp_path / "incident.json")
    (tmp_path / "incident.json").write_text(text)
    with pytest.raises((NoIncident, WrongIncident)):
        kept.load()


def test_files_of_an_editor_and_of_other_encodings_come_back_as_they_were(tmp_path):
    (tmp_path / ".#main.py").symlink_to("me@host.1:2")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "main.py").write_bytes(b"# na\xefve\n")
    texts = deployed.read(tmp_path)
    assert list(texts) == ["main.py"]
    deployed.write(tmp_path, {"main.py": texts["main.py"] + "x = 1\n"})
    assert (tmp_path / "main.py").read_bytes() == b"# na\xefve\nx = 1\n"
