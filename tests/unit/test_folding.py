"""What explains a result is closed in a learner's copy until the learner opens it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from labkit import paths
from labkit.build.catalogue import notebooks
from labkit.learn.folding import SUMMARY, folded
from labkit.learn.notebook import cleaned

LESSONS = [n.target for n in notebooks() if n.kind == "lesson"]
FOLD = re.compile(r"<details>\n<summary>.*?</summary>\n\n(.*?)\n\n</details>", re.DOTALL)


def text(source, tag):
    return {"cell_type": "markdown", "source": source, "metadata": {"tags": [tag]}}


def code(tag):
    return {"cell_type": "code", "source": "run()", "metadata": {"tags": [tag]}}


ASKED = [text("*What happens?*", "predict"), code("predict"), code("run")]


def sources(cells):
    return ["".join(cell["source"]) for cell in folded(cells)]


def test_an_explanation_after_a_prediction_is_folded():
    assert sources([*ASKED, text("It **waits**.", "explain")])[-1] == (
        f"<details>\n<summary>{SUMMARY}</summary>\n\nIt **waits**.\n\n</details>"
    )


def test_what_comes_after_a_heading_stays_visible():
    said = sources([*ASKED, text("It waits.\n\n## Next\n\nA text.", "explain")])[-1]
    assert said.endswith("</details>\n\n## Next\n\nA text.")
    assert FOLD.search(said)[1] == "It waits."


def test_the_next_question_stays_visible():
    cells = [*ASKED, text("It waits.\n\n*And then?*", "explain"), code("predict")]
    assert sources(cells)[-2].endswith("</details>\n\n*And then?*")
    only_asks = [*ASKED, text("*And then?*", "explain"), code("predict")]
    assert sources(only_asks)[-2] == "*And then?*"


def test_a_section_without_a_prediction_is_not_folded():
    before, heading = text("Dapr runs.", "explain"), text("## Look\n\nHere.", "text")
    cells = [before, *ASKED, heading, text("A reason.", "explain")]
    assert sources(cells)[0] == "Dapr runs."
    assert sources(cells)[-1] == "A reason."


@pytest.mark.parametrize("lesson", LESSONS, ids=[f.stem for f in LESSONS])
def test_each_prediction_of_the_course_has_no_open_answer(lesson: Path):
    """From each prediction to the next heading, an explanation shows nothing but a summary."""
    built = json.loads(lesson.read_text("utf-8"))
    copy = cleaned(built, lesson.relative_to(paths.repo()), {})
    open_answers, predicted = [], False
    for cell, after in zip(copy["cells"], [*copy["cells"][1:], code("close")], strict=True):
        said, tag = "".join(cell["source"]), cell["metadata"]["tags"][0]
        if predicted and tag == "explain":
            shown = FOLD.sub("", said).partition("\n## ")[0].strip()
            asks = after["metadata"]["tags"][0] == "predict" and "\n\n" not in shown
            open_answers += [shown] if shown and not shown.startswith("## ") and not asks else []
        predicted = (predicted and "## " not in said) or (
            cell["cell_type"] == "code" and tag == "predict"
        )
    assert open_answers == []
    assert any(SUMMARY in "".join(c["source"]) for c in copy["cells"])
