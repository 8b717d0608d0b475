"""The builder: same source, same notebook; and linters that can fail."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
import yaml

from labkit import paths
from labkit.build import asking, frame, lint
from labkit.build.catalogue import Notebook, notebooks, orphans
from labkit.build.compare import drift, unusual
from labkit.build.execute import CodeChanged, with_outputs_of_before
from labkit.build.source import WrongSource, for_kind, read, store
from labkit.course.quizzes import questions
from labkit.exercises import load

SOURCE = """# %% [markdown] tags=["opening"]
# # Do a thing

# %% tags=["solution"]
# <solution goal="add the numbers">
answer = 1 + 1
# </solution>
print(answer)
"""


def notebook(folder: Path, text: str = SOURCE, kind="lesson") -> Notebook:
    source = folder / "00-x.py"
    source.write_text(text)
    return Notebook(kind, source, folder / "00-x.ipynb")


def test_the_same_source_gives_the_same_bytes(tmp_path):
    one = notebook(tmp_path)
    store(read(one), one.target)
    first = one.target.read_bytes()
    store(read(one), one.target)
    assert one.target.read_bytes() == first


CODE = """<solution goal="add the numbers">
answer = 1 + 1
# </solution>
print(answer)
"""


def test_a_stub_has_a_goal_where_a_solution_stood():
    assert for_kind(f"# {CODE}", "exercise") == "# add the numbers\n...\nprint(answer)"
    assert for_kind(f"# {CODE}", "solution").strip() == "answer = 1 + 1\nprint(answer)"


def test_a_stub_can_keep_a_line_for_the_learner_to_fill():
    code = "# " + CODE.replace('numbers">', "numbers\" stub='answer = 0'>")
    assert for_kind(code, "exercise") == "answer = 0  # add the numbers\nprint(answer)"
    assert for_kind(code, "solution").strip() == "answer = 1 + 1\nprint(answer)"


EXERCISE = paths.repo() / "authoring" / "exercises" / "move-the-mail" / "exercise.py"


def test_what_is_the_same_in_every_exercise_is_made_from_its_yaml(tmp_path):
    nb = read(Notebook("exercise", EXERCISE, tmp_path / "move-the-mail.ipynb"))
    text = "\n".join(cell.source for cell in nb.cells)
    exercise = load("move-the-mail")
    assert nb.cells[0].source.startswith(f"# Exercise {exercise.label}: {exercise.title}\n")
    assert f"{exercise.objective}. {exercise.minutes} minutes." in nb.cells[0].source
    assert exercise.out_of_scope in nb.cells[0].source
    assert f'schedule_new_workflow("{exercise.workflow}", input=order' in text
    for file in exercise.files():
        assert f"(../learn/files/move-the-mail/{file})" in text
    assert nb.cells[-1].source == "lab.down()"


@pytest.mark.parametrize(("id", "shows"), [("move-the-mail", True), ("doubled-mail", False)])
def test_a_stub_says_where_to_edit_and_shows_the_order_beside_the_repair(tmp_path, id, shows):
    source = EXERCISE.parents[1] / id / "exercise.py"
    stub, solution = (
        read(Notebook(kind, source, tmp_path / f"{id}.ipynb")).cells[-4].source
        for kind in ("exercise", "solution")
    )
    assert stub.startswith(f"# edit the files in learn/files/{id}, then run this cell\n")
    assert ('lab.run("order").show()' in stub) is shows
    assert solution.endswith("\nscenario(lab)")


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ('print(lab.run("order").failure.message)', True),
        ("child = 1\nprint(child.failure.error_type)", True),
        ("failure = run.failure\nprint(failure.message if failure else 'no failure')", False),
        ("[step.failure.message for step in steps if step.failure]", False),
        ("print(run.failure)", False),
    ],
)
def test_a_look_that_needs_a_failure_is_seen(source, needs):
    assert lint._needs_a_failure(nbformat.v4.new_code_cell(source)) is needs


def test_an_exercise_with_a_cell_missing_or_unknown_is_named():
    def cell(tag):
        return nbformat.v4.new_markdown_cell("x", metadata={"tags": [tag]})

    found = list(frame.problems(load("move-the-mail"), [cell("story"), cell("plan"), cell("x")]))
    assert sorted(found) == [
        "exercise.py has a cell with the tag 'x'",
        "exercise.py has no cell with the tag 'expert'",
        "exercise.py has no cell with the tag 'wanted'",
    ]


def test_an_edit_of_the_notebook_is_seen(tmp_path):
    one = Notebook("exercise", EXERCISE, tmp_path / "move-the-mail.ipynb")
    store(read(one), one.target)
    assert list(drift(one)) == []
    one.target.write_text(one.target.read_text().replace("scenario(lab)", "x(lab)"))
    assert any("differs from its source" in p for p in drift(one))
    one.target.unlink()
    assert list(drift(one)) == ["is not built; run ./lab build"]


def test_outputs_that_are_missing_or_out_of_order_are_seen(tmp_path):
    one = notebook(tmp_path)
    store(read(one), one.target)
    assert any("was not run in order" in p for p in drift(one))


def test_every_notebook_has_a_source_and_no_rule_is_broken():
    assert orphans() == []
    assert [p for n in notebooks() for p in [*drift(n), *lint.problems(n)]] == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("# It is simply so.", "says 'simply'"),
        ("# ```python\n# print(1)\n# ```", "block that nobody runs"),
        ("# ![ ](x.png)", "picture without words"),
        ("# A **quux** is new.", "not in the glossary"),
        ("# " + "word " * 130, "130 words"),
    ],
)
def test_the_linter_finds_wrong_text(tmp_path, wrong, problem):
    text = SOURCE + f'\n# %% [markdown] tags=["text"]\n{wrong}\n'
    assert any(problem in p for p in lint.problems(notebook(tmp_path, text)))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ('# %% tags=["run"]\nx = 1', "without a prediction"),
        ('# %% tags=["predict"]\npredict("a", ["b"])', "never observed"),
        ('# %% tags=["predict"]\npredict("a", ["b"])', "text before it has no question"),
        ('# %% tags=["look"]\nobserve("a", 1)', "never predicted"),
        ('# %% tags=["look"]\nobserve("a", 1)', "observes outside a run cell"),
        ("# %%\nx = 1", "has no tag"),
        ('# %% tags=["code"]\n' + "x = 1\n" * 16, "16 lines of code"),
        ('# %% tags=["code", "nbval-ignore-output"]\nx = 1', "without a reason"),
    ],
)
def test_the_linter_finds_wrong_cells(tmp_path, wrong, problem):
    found = list(lint.problems(notebook(tmp_path, SOURCE + "\n" + wrong + "\n")))
    assert any(problem in p for p in found), found


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        ("How many mails?", True),
        ("Mails are counted.", False),
        ("Look at `counts?` now.", False),
    ],
)
def test_a_question_stands_in_the_text_before_a_prediction(tmp_path, before, asked):
    text = f'\n# %% [markdown] tags=["predict"]\n# {before}\n'
    text += '\n# %% tags=["predict"]\npredict("a", ["b"])\n'
    found = list(lint.problems(notebook(tmp_path, SOURCE + text)))
    assert any("has no question" in p for p in found) is not asked
    between = text.replace("\n# %% tags", '\n# %% tags=["code"]\nx = 1\n\n# %% tags')
    found = list(lint.problems(notebook(tmp_path, SOURCE + between)))
    assert any("has no question" in p for p in found), "it stands directly before"


def test_the_first_cell_of_a_file_that_grows_is_a_part(tmp_path):
    cell = '\n# %% tags=["write"]\n# %%workfile 01/x.py'
    whole, later = f"{cell}\nx = 1\n", f"{cell} --part 2\ny = 2\n"
    first = f"{cell} --part 1\nx = 1\n"
    problem = "01/x.py grows in parts, and a cell saves it whole: write --part 1"
    for cells, found in ((whole + later, [problem]), (first + later, []), (whole, [])):
        told = lint.problems(notebook(tmp_path, SOURCE + cells))
        assert [p for p in told if "grows" in p] == found


def test_a_lesson_links_the_glossary(tmp_path):
    missing = "neither the opening nor the close links the glossary"
    plain, linked = SOURCE, SOURCE.replace("thing", "thing\n#\n# [W](../docs/glossary.md).")
    assert any(missing in p for p in lint.problems(notebook(tmp_path, plain)))
    assert not any(missing in p for p in lint.problems(notebook(tmp_path, linked)))


def test_a_lesson_recalls_only_what_came_before_it(tmp_path):
    recalled = {}
    for file in sorted((paths.repo() / "authoring" / "quizzes").glob("*.yaml")):
        recalled.setdefault(file.stem[:2], yaml.safe_load(file.read_text())[0]["id"])
    cells = [f'\n# %% tags=["recall"]\nquiz("{recalled[n]}")\n' for n in ("04", "05", "06")]
    found = list(lint.lesson(read(notebook(tmp_path, SOURCE + "".join(cells))), "05-any"))
    assert [p for p in found if "before its lesson" in p] == [
        f"recalls {recalled['05']!r} before its lesson",
        f"recalls {recalled['06']!r} before its lesson",
    ]


def test_a_lesson_asks_only_questions_that_exist(tmp_path):
    asked = '\n# %% tags=["quiz"]\nquiz("no-such-question")\n'
    found = list(lint.lesson(read(notebook(tmp_path, SOURCE + asked)), "05-any"))
    assert "asks 'no-such-question', which no quiz file has" in found


def test_a_source_that_is_no_notebook_is_named(tmp_path):
    with pytest.raises(WrongSource):
        read(Notebook("lesson", tmp_path / "none.py", tmp_path / "none.ipynb"))


def test_the_service_of_lesson_02_ends_as_the_service_of_the_course():
    nb = read(next(n for n in notebooks() if n.target.stem.startswith("02")))
    head = "%%workfile 02/notification-service/main.py --part "
    cells = [c.source.removeprefix(head) for c in nb.cells if c.source.startswith(head)]
    parts = [text.split("\n", 1)[1].strip("\n") for text in sorted(cells)]
    service = paths.repo() / "services" / "notification-service" / "main.py"
    assert "\n\n\n".join(parts) + "\n" == service.read_text()


def test_the_id_of_a_question_holds_no_number_of_a_lesson():
    assert [id for id in questions() if id[0].isdigit()] == []


def built_once(folder: Path) -> Notebook:
    """Return a notebook whose code cell has an output, as after a build."""
    made = notebook(folder)
    nb = read(made)
    code = nb.cells[1]
    code.outputs, code.execution_count = [nbformat.v4.new_output("stream", text="2\n")], 1
    store(nb, made.target)
    return made


def test_a_change_of_text_keeps_the_outputs(tmp_path):
    made = built_once(tmp_path)
    made.source.write_text(SOURCE.replace("# # Do a thing", "# # Do a thing, in other words"))
    kept = with_outputs_of_before(read(made), made)
    assert "in other words" in kept.cells[0].source
    assert (kept.cells[1].outputs[0].text, kept.cells[1].execution_count) == ("2\n", 1)


ASKED = """

# %% tags=["predict"]
CHOICES = ["one", "two"]
predict("how-many", CHOICES)
"""


def test_a_question_that_is_new_is_run_and_the_other_outputs_are_kept(tmp_path):
    made = built_once(tmp_path)
    made.source.write_text(
        SOURCE.replace("# %%", "# %% [markdown]\n# How many?" + ASKED + "\n# %%", 2)
    )
    kept = with_outputs_of_before(read(made), made)
    shown = {c.source.splitlines()[-1]: c.outputs[0] for c in kept.cells if c.get("outputs")}
    assert "one | two" in shown['predict("how-many", CHOICES)']["data"]["text/plain"]
    assert "2\n" in [output.get("text") for output in shown.values()]
    counts = [c.execution_count for c in kept.cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize(
    ("source", "asks"),
    [
        ('quiz("one")', True),
        ('from labkit import Lab, quiz\n\nquiz("one")', True),
        ('predict("one", ["a", "b"])', True),
        ('PAIR = ["a", "b"]\npredict("one", PAIR)', True),
        ('predict("one", ELSEWHERE)', False),
        ('lab.up()\nquiz("one")', False),
        ('WORDS = made()\npredict("one", WORDS)', False),
        ('predict("one", [f"{n} mails" for n in (1, 2)])', False),
        ('observe("one", "a")', False),
        ("%%workfile 01/main.py\nquiz('one')", False),
        ("", False),
    ],
)
def test_a_cell_that_only_asks_needs_no_lab(source, asks):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    assert asking.questions(nb) == (nb.cells if asks else [])


def test_outputs_of_other_code_are_not_kept(tmp_path):
    made = built_once(tmp_path)
    made.source.write_text(SOURCE.replace("1 + 1", "1 + 2"))
    with pytest.raises(CodeChanged) as caught:
        with_outputs_of_before(read(made), made)
    assert "answer = 1 + 2" in caught.value.found
    made.target.unlink()
    with pytest.raises(CodeChanged):
        with_outputs_of_before(read(made), made)


def ran(source, *texts):
    """A cell of code that was run, with these outputs."""
    outputs = [nbformat.v4.new_output("display_data", {"text/plain": text}) for text in texts]
    return nbformat.v4.new_code_cell(source, id="a", outputs=outputs)


def test_an_observation_that_nobody_could_choose_is_no_output_of_a_usual_run():
    asked = ran('predict("mails", SEEN)', "choose: 1, 1, 0 | 1, 2, 1\n(Run this cell to predict.)")
    good, bad, other = (
        ran('observe("mails", x)', f"predicted: (nothing saved)\nobserved:  {seen}")
        for seen in ("1, 2, 1", "2, 1, 1", "1")
    )
    assert not [*unusual([asked, good])]
    assert not [*unusual([good, bad])], "without options there is nothing to compare"
    assert ["'2, 1, 1', which mails" in p for p in unusual([asked, good, bad])] == [True]
    assert len([*unusual([asked, other])]) == 1


@pytest.mark.parametrize("word", ["slow now: it computes 9 times as long", "busy: 20 programs"])
def test_the_output_of_a_slow_machine_is_not_stored(word):
    assert [*unusual([ran("lab.up()", f"found  this machine is {word}")])]
    assert not [*unusual([ran("lab.up()", "caller: ready")])]
