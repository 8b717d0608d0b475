"""The learner's folder: follows the course, and never loses what a learner made."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from labkit import learn, paths, workfiles
from labkit.course import progress
from labkit.course.predictions import predict
from labkit.labs import runs
from labkit.learn import folder, notebook
from labkit.waiting import patience, wait_until

LESSONS = ("00-begin", "01-middle", "02-end")


class Course:
    """A small course that can change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.list(*LESSONS)
        for slug in LESSONS:
            self.write(slug, "one")

    def list(self, *slugs: str) -> None:
        file = self.root / "authoring" / "syllabus.yaml"
        file.parent.mkdir(exist_ok=True, parents=True)
        lessons = [{"slug": slug, "minutes": 5} for slug in slugs]
        file.write_text(yaml.safe_dump({"lessons": lessons}))

    def write(self, slug: str, text: str) -> None:
        file = self.root / "lessons" / f"{slug}.ipynb"
        file.parent.mkdir(exist_ok=True)
        v4 = nbformat.v4
        seen = v4.new_output("stream", text="the answer")
        asked, told = v4.new_markdown_cell("What happens?"), v4.new_markdown_cell(text)
        write = f"%%workfile {slug[:2]}-kill/main.py"
        code = v4.new_code_cell(write, outputs=[seen], execution_count=1)
        nbformat.write(v4.new_notebook(cells=[asked, code, told]), file)


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(paths, "repo", lambda: tmp_path / "course")
    return Course(tmp_path / "course")


@pytest.fixture
def real(tmp_path, monkeypatch):
    """The learner's folder of the real course."""
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))
    learn.update()
    return paths.learn()


def mine(name: str) -> Path:
    return paths.learn() / f"{name}.ipynb"


def edit(name: str, text: str = "my note") -> None:
    nb = nbformat.read(mine(name), 4)
    nb.cells[-1].source = text
    nbformat.write(nb, mine(name))


def run(name: str) -> None:
    nb = nbformat.read(mine(name), 4)
    nb.cells[1].outputs = [nbformat.v4.new_output("stream", text="what I saw")]
    nbformat.write(nb, mine(name))


def last_cell(name: str) -> str:
    return str(nbformat.read(mine(name), 4).cells[-1].source)


def names() -> list[str]:
    return sorted(p.stem for p in paths.learn().glob("*.ipynb"))


# --- what a learner gets -----------------------------------------------------------------------


def test_no_notebook_of_the_course_shows_a_result_before_it_was_run(real):
    files = sorted(real.glob("*.ipynb"))
    assert len(files) > 30
    for file in files:
        nb = nbformat.read(file, 4)
        nbformat.validate(nb)
        code = [c for c in nb.cells if c.cell_type == "code"]
        assert code, file
        assert not any(c.outputs or c.execution_count for c in code), file


def test_names_in_the_file_browser_stand_in_the_order_of_the_course(real):
    slugs = [str(lesson["slug"]) for lesson in progress.syllabus()]
    in_folder = sorted(p.stem for p in real.glob("*.ipynb"))
    assert [n for n in in_folder if "." not in n] == slugs
    numbers = [n.partition("-")[0] for n in in_folder]
    by_value = sorted(numbers, key=lambda n: [int(part) for part in n.split(".")])
    assert numbers == by_value
    assert len(set(numbers)) == len(numbers), "no two share a number"


def test_every_link_leads_somewhere(real):
    linked = 0
    for file in sorted(real.glob("*.ipynb")):
        prose = [c.source for c in nbformat.read(file, 4).cells if c.cell_type == "markdown"]
        for link in re.findall(r"\]\(([^)#\s]+)", "\n".join(prose)):
            if ":" in link:
                continue
            linked += 1
            made_when_run = re.match(r"files/([^/]+)/", link)
            if made_when_run:
                belongs = made_when_run[1] in file.name or made_when_run[1][:2] == file.name[:2]
                assert belongs, (file.name, link)
                continue
            target = os.path.normpath(Path("learn", link))
            there = real / link if target.startswith("learn/") else paths.repo() / target
            assert there.exists(), (file.name, link)
            assert not target.startswith(("lessons/", "exercises/")) or target.endswith(".md")
    assert linked > 50


def test_links_between_notebooks_lead_to_the_copies():
    names = {"lessons/01-a.ipynb": "01-a.ipynb", "exercises/b.ipynb": "01.1-b.ipynb"}
    text = (
        "[a](01-a.ipynb#part) [b](../exercises/b.ipynb) [c](../learn/files/b/dapr.yaml) "
        '[d](../docs/claims.md) [e](https://x.org/a) [f](#here) <a href="../exercises/b.ipynb">\n'
        "[ref]: ../solutions/b.ipynb"
    )
    cells = [nbformat.v4.new_markdown_cell(text)]
    made = notebook.cleaned({"cells": cells, "metadata": {}}, Path("lessons/02-x.ipynb"), names)
    assert "".join(made["cells"][0]["source"]) == (
        "[a](01-a.ipynb#part) [b](01.1-b.ipynb) [c](files/b/dapr.yaml) "
        '[d](../docs/claims.md) [e](https://x.org/a) [f](#here) <a href="01.1-b.ipynb">\n'
        "[ref]: ../solutions/b.ipynb"
    )


# --- following the course ----------------------------------------------------------------------


def test_an_untouched_copy_follows_the_course(course):
    assert learn.update() == ["learn/ is made: 3 notebooks for you to work in"]
    assert learn.update() == []
    course.write("01-middle", "two")
    (said,) = learn.update()
    assert "01-middle.ipynb" in said
    assert last_cell("01-middle") == "two"
    assert names() == list(LESSONS)


@pytest.mark.parametrize("touch", [edit, run])
def test_a_touched_copy_is_kept_and_the_new_one_is_beside_it(course, touch):
    learn.update()
    touch("01-middle")
    before = mine("01-middle").read_bytes()
    assert learn.update() == [], "nothing new to say while the course is the same"
    course.write("01-middle", "two")
    (said,) = learn.update()
    assert said.startswith("new versions, beside yours")
    assert "01-middle.new.ipynb" in said
    assert "./lab reset" in said
    assert mine("01-middle").read_bytes() == before
    assert last_cell("01-middle.new") == "two"
    (said,) = learn.update()
    assert said == "new versions that are still beside yours: 01-middle.new.ipynb"
    course.write("01-middle", "three")
    learn.update()
    assert last_cell("01-middle.new") == "three"
    assert names() == ["00-begin", "01-middle", "01-middle.new", "02-end"]


def test_a_new_version_that_was_worked_on_is_kept_too(course):
    learn.update()
    edit("01-middle")
    course.write("01-middle", "two")
    learn.update()
    edit("01-middle.new", "mine, too")
    assert learn.update() == [], "it was taken up"
    course.write("01-middle", "three")
    learn.update()
    assert last_cell("01-middle.new") == "mine, too"
    assert last_cell("01-middle.new-2") == "three"


def test_jupyterlab_adding_metadata_is_no_change(course):
    learn.update()
    nb = nbformat.read(mine("01-middle"), 4)
    nb.metadata["language_info"] = {"name": "python", "version": "3.12"}
    nb.cells[0].metadata["collapsed"] = True
    nbformat.write(nb, mine("01-middle"))
    course.write("01-middle", "two")
    learn.update()
    assert last_cell("01-middle") == "two"


def test_a_renumbered_lesson_is_moved_unless_it_was_touched(course):
    learn.update()
    edit("02-end")
    course.list("00-begin", "02-middle", "03-end")
    for slug in ("02-middle", "03-end"):
        course.write(slug, "one")
    said = "\n".join(learn.update())
    assert names() == ["00-begin", "02-end", "02-middle", "03-end"]
    assert "under these names: 01-middle.ipynb" in said
    assert "edited or ran them: 02-end.ipynb" in said
    assert last_cell("02-end") == "my note"


def test_notebooks_of_the_learner_are_left_alone(course):
    learn.update()
    own, copied, torn = mine("scratch"), mine("00-begin-Copy1"), mine("01-middle")
    nbformat.write(nbformat.v4.new_notebook(), own)
    copied.write_bytes(mine("00-begin").read_bytes())
    torn.write_text('{"cells": [')
    (paths.learn() / "notes.txt").write_text("mine")
    before = {p: p.read_bytes() for p in (own, copied, torn)}
    course.write("00-begin", "two")
    course.write("01-middle", "two")
    learn.update()
    assert {p: p.read_bytes() for p in before} == before
    assert last_cell("00-begin") == "two"
    assert last_cell("01-middle.new") == "two"


def test_a_file_of_the_learner_under_a_name_of_the_course_is_not_replaced(course):
    mine("00-begin").write_text("not a notebook")
    learn.update()
    assert mine("00-begin").read_text() == "not a notebook"
    assert last_cell("00-begin.new") == "one"


def test_a_deleted_notebook_comes_back(course):
    learn.update()
    mine("01-middle").unlink()
    assert learn.update() == ["new in learn/: 01-middle.ipynb"]
    assert names() == list(LESSONS)


def test_a_damaged_notebook_of_the_course_is_named_and_its_copy_stays(course):
    learn.update()
    (course.root / "lessons" / "01-middle.ipynb").write_text("{")
    (said,) = learn.update()
    assert "lessons/01-middle.ipynb" in said
    assert "git restore" in said
    assert names() == list(LESSONS)
    with pytest.raises(learn.NotebookDamaged):
        learn.restore(learn.find("01"))
    assert names() == list(LESSONS), "the old copy is not taken away for nothing"


# --- interrupted, at once, without room ----------------------------------------------------------

UPDATE = "from labkit import learn; print(*learn.update(), sep='\\n')"


def test_an_update_that_was_killed_leaves_whole_notebooks_and_goes_on(tmp_path):
    folder = tmp_path / "learn"
    env = {**os.environ, "LABKIT_STATE": str(tmp_path)}
    for many in (1, 12, 25):
        process = subprocess.Popen([sys.executable, "-c", UPDATE], env=env, cwd=paths.repo())
        wait_until(
            lambda many=many: len(list(folder.glob("*.ipynb"))) >= many,
            60,
            f"{many} notebooks are written",
        )
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        for file in folder.glob("*.ipynb"):
            nbformat.validate(nbformat.read(file, 4))
        (folder / ".01-x.ipynb.part").write_text("{")
    subprocess.run([sys.executable, "-c", UPDATE], env=env, cwd=paths.repo(), check=True)
    assert not list(folder.glob(".*"))
    assert len(list(folder.glob("*.ipynb"))) > 30


def test_two_updates_at_once_take_turns(tmp_path):
    env = {**os.environ, "LABKIT_STATE": str(tmp_path)}
    command = [sys.executable, "-c", UPDATE]
    both = [
        subprocess.Popen(command, env=env, cwd=paths.repo(), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60 * patience())[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(map(bool, said)) == [False, True], "one made it, the other found it made"


def test_a_folder_that_stays_busy_is_named(course, monkeypatch, capsys):
    monkeypatch.setattr(folder, "BUSY_SECONDS", 0.3)
    with (paths.state() / "learn.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(learn.LearnFolderBusy) as caught:
            learn.update()
    assert "waiting for it" in capsys.readouterr().err
    assert "Ctrl-C" in caught.value.fix


def test_a_folder_that_cannot_be_written_is_one_clear_error(course):
    (paths.state() / "learn").write_text("a file is in the way")
    with pytest.raises(learn.LearnFolderNotWritable) as caught:
        learn.update()
    assert caught.value.title == "the learner's folder cannot be written"
    assert "LABKIT_STATE" in caught.value.fix


def test_a_full_disk_is_one_clear_error_and_loses_nothing(course, monkeypatch):
    learn.update()
    edit("00-begin")
    for slug in LESSONS:
        course.write(slug, "two")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(learn.LearnFolderNotWritable) as caught:
            learn.update()
    assert caught.value.title == "the disk is full"
    assert "./lab clean" in caught.value.fix
    assert [last_cell(slug) for slug in LESSONS] == ["my note", "one", "one"]
    assert not list(paths.learn().glob(".*"))
    learn.update()
    assert [last_cell(slug) for slug in LESSONS] == ["my note", "two", "two"]


# --- starting over -----------------------------------------------------------------------------


def test_a_lesson_is_restored_and_what_was_there_is_kept(course):
    learn.update()
    edit("01-middle")
    workfiles.save("01-kill/main.py", "one\n", 1)
    workfiles.save("01-kill/main.py", "two\n", 2)
    workfiles.save("another/main.py", "other\n")
    said = "\n".join(learn.restore(learn.find("1")))
    assert "learn/01-middle.kept-1.ipynb" in said
    assert "learn/files/01-kill.kept-1" in said
    assert "Reload Notebook from Disk" in said
    assert (last_cell("01-middle"), last_cell("01-middle.kept-1")) == ("one", "my note")
    kept = paths.work() / "01-kill.kept-1" / "main.py"
    assert kept.read_text() == "one\n\n\ntwo\n"
    workfiles.save("01-kill/main.py", "one\n", 1)
    assert (paths.work() / "01-kill" / "main.py").read_text() == "one\n", "parts start over, too"
    assert (paths.work() / "another" / "main.py").exists()
    learn.restore(learn.find("1"))
    assert (paths.work() / "01-kill.kept-1").exists()
    assert (paths.work() / "01-kill.kept-2").exists()
    assert not mine("01-middle.kept-2").exists(), "an untouched copy is not worth keeping"


def test_after_a_lesson_was_restored_its_questions_are_asked_again(course, monkeypatch):
    learn.update()
    monkeypatch.setenv("JPY_SESSION_NAME", str(mine("01-middle")))
    predict("mails", ["none", "one"]).choose("none")
    learn.restore(learn.find("00"))
    assert predict("mails", ["none", "one"]).chosen == "none"
    learn.restore(learn.find("01"))
    assert predict("mails", ["none", "one"]).chosen is None


def test_restoring_takes_the_new_version(course):
    learn.update()
    edit("01-middle")
    course.write("01-middle", "two")
    learn.update()
    learn.restore(learn.find("middle"))
    assert names() == ["00-begin", "01-middle", "01-middle.kept-1", "02-end"]
    assert last_cell("01-middle") == "two"


def test_a_lab_that_runs_on_the_kept_files_is_named(course):
    learn.update()
    workfiles.save("01-kill/dapr.yaml", "apps: []\n")
    run = runs.create(paths.work() / "01-kill" / "dapr.yaml", None)
    env = {**os.environ, "LABKIT_RUN": run.run_id}
    process = subprocess.Popen(["sleep", "60"], env=env)
    try:
        assert f"./lab stop {run.run_id}" in "\n".join(learn.restore(learn.find("01")))
    finally:
        process.kill()
        process.wait()
        run.close()


def test_files_from_where_earlier_versions_kept_them_are_moved(course):
    old = paths.state() / "work"
    (old / ".parts" / "03-x").mkdir(parents=True)
    (old / ".parts" / "03-x" / "part-001").write_text("one")
    for name in ("03-x", "try-again"):
        (old / name).mkdir()
        (old / name / "main.py").write_text("old")
    (paths.work() / "try-again").mkdir()
    said = "\n".join(learn.update())
    assert f"moved from {old} to {paths.work()}" in said
    assert (paths.work() / "03-x" / "main.py").read_text() == "old"
    assert (paths.work() / "try-again.kept-1" / "main.py").read_text() == "old"
    assert (paths.parts() / "03-x" / "part-001").read_text() == "one"
    assert not old.exists()
    assert learn.update() == []


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("0", "00-begin"),
        ("01", "01-middle"),
        ("middle", "01-middle"),
        ("05-middle", "01-middle"),  # the number that it once had
        ("learn/01-middle.new.ipynb", "01-middle"),
    ],
)
def test_a_notebook_is_found_by_number_name_or_file(course, name, found):
    assert learn.find(name).file.stem == found


def test_a_name_that_does_not_exist_gets_the_nearest(course):
    with pytest.raises(learn.NoSuchNotebook) as caught:
        learn.find("midle")
    assert caught.value.fix == "use middle"
    assert "02-end" in caught.value.found


def test_the_folders_that_a_notebook_writes_are_known():
    code = """%%workfile 04-kill/caller/main.py --part 2
where = workspace("04-kill")
run_file = copy_of_services(
    "05-needs", "ml-inference-service")
"""
    cells = [{"cell_type": "code", "source": code}]
    assert notebook.folders({"cells": cells}) == ["04-kill", "05-needs"]


def test_every_lesson_has_folders_of_its_own():
    owners: dict[str, str] = {}
    for copy in learn.copies():
        built = notebook.read(paths.repo() / copy.source)
        if copy.is_lesson and built:
            for name in notebook.folders(built):
                assert owners.setdefault(name, copy.id) == copy.id, name
    assert len(owners) > 7


def test_a_copy_carries_its_record(course):
    learn.update()
    record = json.loads(mine("00-begin").read_text())["metadata"]["course"]
    assert record["name"] == "00-begin.ipynb"
    assert len(record["version"]) == 16
