"""The notebook of an exercise: its own cells in the frame that all exercises share.

An author writes what is particular, in ``exercise.py``, as cells with these tags: ``story`` (what
happened), ``wanted`` (what is asked for), ``scenario`` (a text, or code other than the usual one),
``look`` (first evidence), ``plan`` (the sentence that the solution gives to ``diagnose``) and
``expert`` (how an expert solved it). Heading, links, plan, check and close are made here from
``exercise.yaml``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nbformat.v4 import new_code_cell, new_markdown_cell

import labkit
from labkit.exercises import KINDS, Exercise, in_order

TAGS = {"story", "wanted", "scenario", "look", "plan", "expert"}
USUAL = ("Lab", "begin", "check", "diagnose", "hint", "reset")
MODULES = ("json", "re", "time")
ORDER = """\
order = {
    "task_id": "task-123",
    "title": "Review PR",
    "assignee_email": "alice@example.com",
    "assignee_user_id": "user-alice",
}
"""
SCENARIO = """\
def scenario(lab):
    lab.up(announce=False)
    client = lab.client("{host}")
    client.schedule_new_workflow("{workflow}", input=order, instance_id="order")
    print("status:", lab.run("order").settle())
"""
PLAY = """\
lab = {call}
scenario(lab)"""
GLOSSARY = "Words: [glossary](../docs/glossary.md)."


def assemble(exercise: Exercise, own: Sequence[Any]) -> list[Any]:
    """Return the cells of the notebook, with the marks of what a stub leaves out."""
    scenario = scenario_cells(exercise, own)
    looks = [c for c in own if _tag(c) == "look"]
    return [
        _text("opening", _opening(exercise, _one(own, "story"))),
        _code("setup", _setup(exercise, [*scenario, *looks])),
        _text("text", _wanted(exercise, own)),
        *scenario,
        *([] if exercise.kind == "build" else [_text("text", SYMPTOM)]),
        *looks,
        _text("text", PLAN if exercise.kind == "build" else DIAGNOSIS),
        _code("solution", _diagnose(exercise, _one(own, "plan"))),
        _text("text", _change(exercise)),
        _code("solution", _repair(exercise) + (LOOK if _has_the_order(scenario) else "")),
        _code("check", f'check("{exercise.id}")'),
        _text("close", _close(exercise, _one(own, "expert"))),
        _code("close", "lab.down()"),
    ]


def problems(exercise: Exercise, own: Sequence[Any]) -> Iterator[str]:
    """Yield what an ``exercise.py`` lacks, or has and should not."""
    tags = [_tag(c) for c in own]
    needed = {"story", "plan", "expert"} | ({"wanted"} if exercise.kind == "build" else set())
    yield from (f"exercise.py has no cell with the tag {tag!r}" for tag in needed - set(tags))
    yield from (f"exercise.py has a cell with the tag {tag!r}" for tag in set(tags) - TAGS)


def scenario_cells(exercise: Exercise, own: Sequence[Any]) -> list[Any]:
    """Return the code cells that make the lab and use it, as the learner gets them."""
    cells = [c for c in own if _tag(c) == "scenario" and c.cell_type == "code"]
    if not cells:
        cells = [_code("scenario", SCENARIO.format(host=exercise.host, workflow=exercise.workflow))]
    sources = [c.source.strip("\n") for c in cells]
    uses, defines = _names("\n".join(sources))
    if "order" in uses - defines:
        sources[0] = f"{ORDER}\n\n{sources[0]}"
    sources[-1] = f"{sources[-1]}\n\n\n{PLAY.format(call=exercise.lab_call)}"
    return [_code("scenario", source) for source in sources]


def practise(number: str) -> str:
    """Return the line of a lesson's close that names its exercises; "" when it has none."""
    mine = [e for e in in_order() if e.lesson == number]
    links = (f"{e.label} [{e.title}](../exercises/{e.id}.ipynb)" for e in mine)
    return f"Practise: {'; '.join(links)}." if mine else ""


SYMPTOM = """\
## The symptom, and who knows more

Write down what you see. Then ask who knows about it: the history, the metadata, the placement \
table, a log?"""
PLAN = """\
## Your plan

One sentence: what do you change, and where will you see that it works?"""
DIAGNOSIS = """\
## Your diagnosis

One sentence: which part does what wrong, and how do you know?"""
APPLY = """\
# <solution goal="edit the files in learn/files/{id}, then run this cell">
from labkit import apply

apply("{id}")
# </solution>
lab = {call}
scenario(lab)"""

ACTION = """\
# <solution goal="your repair: what you do with this lab">
{action}
# </solution>
print("status:", lab.run("order").settle(30))"""
LOOK = """
# <solution goal="or look at what your sentence names" stub='lab.run("order").show()'>
# </solution>"""


def _repair(exercise: Exercise) -> str:
    if exercise.action:
        return ACTION.format(action=exercise.action.rstrip())
    return APPLY.format(id=exercise.id, call=exercise.lab_call)


def _has_the_order(scenario: Iterable[Any]) -> bool:
    """Whether there is an instance ``order``, which a stub shows beside the repair."""
    return any('instance_id="order"' in cell.source for cell in scenario)


def _opening(exercise: Exercise, story: str) -> str:
    heading = f"# {KINDS[exercise.kind]} {exercise.label}: {exercise.title}"
    scope = f"Out of scope: {exercise.out_of_scope}. {GLOSSARY}"
    first = f"{exercise.objective}. {exercise.minutes} minutes."
    return "\n\n".join([heading, first, story, scope])


def _setup(exercise: Exercise, cells: Iterable[Any]) -> str:
    """The imports: the usual ones, and what the scenario and the looks use besides."""
    uses, _ = _names("\n".join(c.source for c in cells if c.cell_type == "code"))
    names = sorted({*USUAL, *(uses & set(labkit.__all__))}, key=lambda n: (n.islower(), n.lower()))
    name = "manifests" if exercise.manifests else "run_file"
    lines = [f"import {m}" for m in MODULES if m in uses]
    lines += [""] if lines else []
    lines += ["from grpc import RpcError", ""] if "RpcError" in uses else []
    return "\n".join(
        [*lines, f"from labkit import {', '.join(names)}", "", f'{name} = begin("{exercise.id}")']
    )


def _wanted(exercise: Exercise, own: Sequence[Any]) -> str:
    words = [c.source for c in own if _tag(c) == "scenario" and c.cell_type == "markdown"]
    if exercise.action:
        return "\n\n".join(["## The scenario", *words, "Run it now."])
    if exercise.kind == "build":
        again = "Run the scenario now, to see where you stand. Run it again after each change."
        return "\n\n".join(["## What is wanted", _one(own, "wanted"), *words, again])
    return "\n\n".join(["## The scenario", *words, "Run it now. Run it again after each repair."])


def _diagnose(exercise: Exercise, plan: str) -> str:
    name = "plan" if exercise.kind == "build" else "cause"
    sentence = " ".join(plan.split()).replace('"', "'")
    return (
        f'# <solution goal="your sentence between the quotes" stub=\'{name} = ""\'>\n'
        f'{name} = "{sentence}"\n'
        f'# </solution>\ndiagnose("{exercise.id}", {name})'
    )


def _change(exercise: Exercise) -> str:
    """What to edit: for something to build the file is named, in a break lab it is found."""
    hints = f'A hint comes in three levels: `hint("{exercise.id}")`.'
    if exercise.kind == "build":
        text = f"## Your change\n\nYou need `{exercise.file}`. {hints}"
    elif exercise.action:
        return (
            "## The repair\n\nNo file has to be changed. Do with this lab what your diagnosis asks"
            f" for; a new lab would not hold the order. {hints}"
        )
    else:
        text = (
            "## The repair\n\nMake the smallest change that fixes the cause, then run the scenario"
            f" again. {hints}"
        )
    links = ", ".join(f"[{f}](../learn/files/{exercise.id}/{f})" for f in exercise.files())
    return f"{text}\n\nOpen: {links}."


def _close(exercise: Exercise, expert: str) -> str:
    again = f'To start over: `reset("{exercise.id}")`; your files are kept.'
    return (
        "## How an expert solved it\n\n"
        "<details><summary>Open it when your check has passed</summary>\n\n"
        f"{expert}\n\n</details>\n\nCompare it with your sentence. {again} All exercises, lesson by"
        " lesson: [exercises/README.md](../exercises/README.md)."
    )


def _one(own: Sequence[Any], tag: str) -> str:
    return "\n\n".join(str(c.source) for c in own if _tag(c) == tag)


def _tag(cell: Any) -> str:
    return str((cell.metadata.get("tags") or [""])[0])


def _names(code: str) -> tuple[set[str], set[str]]:
    """Return the names that code uses, and those that it defines."""
    uses: set[str] = set()
    defines: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (uses if isinstance(node.ctx, ast.Load) else defines).add(node.id)
        elif isinstance(node, ast.FunctionDef):
            defines.add(node.name)
    return uses, defines


def _text(tag: str, source: str) -> Any:
    return new_markdown_cell(source.strip("\n"), metadata={"tags": [tag]})


def _code(tag: str, source: str) -> Any:
    return new_code_cell(source.strip("\n"), metadata={"tags": [tag]})
