"""The builder: same source, same notebook; and linters that can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit import paths
from labkit.build import lint
from labkit.build.catalogue import Notebook, notebooks, orphans
from labkit.build.compare import drift
from labkit.build.source import WrongSource, read, store

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


def test_a_stub_has_a_goal_where_a_solution_stood(tmp_path):
    stub = read(notebook(tmp_path, kind="exercise")).cells[1].source
    whole = read(notebook(tmp_path, kind="solution")).cells[1].source
    assert stub == "# add the numbers\n...\nprint(answer)"
    assert whole == "answer = 1 + 1\nprint(answer)"


def test_a_stub_can_keep_a_line_for_the_learner_to_fill(tmp_path):
    begin = "# <solution goal=\"add the numbers\" stub='answer = 0'>"
    text = SOURCE.replace('# <solution goal="add the numbers">', begin)
    stub, solution = (read(notebook(tmp_path, text, kind)) for kind in ("exercise", "solution"))
    assert stub.cells[1].source == "answer = 0  # add the numbers\nprint(answer)"
    assert solution.cells[1].source == "answer = 1 + 1\nprint(answer)"


def test_an_edit_of_the_notebook_is_seen(tmp_path):
    one = notebook(tmp_path, kind="exercise")
    store(read(one), one.target)
    assert list(drift(one)) == []
    one.target.write_text(one.target.read_text().replace("print(answer)", "print(43)"))
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
        ('# %% tags=["look"]\nobserve("a", 1)', "never predicted"),
        ("# %%\nx = 1", "has no tag"),
        ('# %% tags=["code"]\n' + "x = 1\n" * 16, "16 lines of code"),
        ('# %% tags=["code", "nbval-ignore-output"]\nx = 1', "without a reason"),
    ],
)
def test_the_linter_finds_wrong_cells(tmp_path, wrong, problem):
    found = list(lint.problems(notebook(tmp_path, SOURCE + "\n" + wrong + "\n")))
    assert any(problem in p for p in found), found


def test_a_lesson_recalls_only_what_came_before_it(tmp_path):
    asked = "".join(f'\n# %% tags=["recall"]\nquiz("{q}-x")\n' for q in ("02", "05", "06"))
    found = list(lint.lesson(read(notebook(tmp_path, SOURCE + asked)), "05-any"))
    assert [p for p in found if "before its lesson" in p] == [
        "recalls '05-x' before its lesson",
        "recalls '06-x' before its lesson",
    ]


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
