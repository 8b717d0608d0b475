"""``./lab build attack ID``: answers that must not pass, and right ones that must.

Some come with the exercise (``answers.yaml`` in its folder). The others are made from its files by
changing their code, the same way for every exercise: nothing is done and results are made up, the
mail leaves elsewhere, the visible data are special-cased, a step vanishes, another workflow runs
under the name. Each runs on the real runtime.
"""

from __future__ import annotations

import ast
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from labkit import runtime
from labkit.build.proof import played, scenario_of
from labkit.course.verdict import Verdict
from labkit.exercises import Exercise, ids, load
from labkit.exercises.catalogue import Edit, edits_from
from labkit.exercises.checking import try_out
from labkit.exercises.deployment import code_after, prepare
from labkit.exercises.reference import KNOWN

Change = Callable[[Path], None]
MADE_UP = {
    "sent": True, "channel": "email", "valid": True, "reasons": [], "assigned": True,
    "compliant": True, "violations": [], "status": "audited", "priority": "high", "score": 0.9,
}  # fmt: skip


class DoesNotApply(Exception):
    """An attack has nothing to change in this exercise."""


@dataclass(frozen=True)
class Attack:
    """One answer to an exercise.

    Attributes:
        right: whether it must pass; a wrong one must not.
        edits: of the learner's copy.
        change: of the files after the edits.
        scenario: edits of the scenario cell; with any, or with ``times``, the notebook's scenario
            is run, too. Otherwise the counter-scenario alone is asked: what it refuses cannot pass.
        becomes: the outcomes that are accepted.
    """

    name: str
    right: bool
    edits: tuple[Edit, ...] = ()
    change: Change | None = None
    scenario: tuple[Edit, ...] = ()
    times: int = 0
    becomes: tuple[str, ...] = ()

    @property
    def accepted(self) -> tuple[str, ...]:
        """The outcomes that are accepted."""
        return self.becomes or (("passed",) if self.right else ("failed", "unknown"))


def main(argv: Sequence[str]) -> int:
    """Attack the named exercises, or all; exit code 1 when an answer is judged wrongly."""
    wrong = 0
    for id in argv or ids():
        exercise = load(id)
        for attack in attacks(exercise):
            with own_state():
                verdict = run(exercise, attack)
            good = verdict.outcome in attack.accepted
            wrong += not good
            stopped = verdict.stopped_at
            step = f" at {stopped.step}" if stopped else ""
            print(
                f"{'✓' if good else '✗'} {id}: {attack.name}: {verdict.outcome}{step}", flush=True
            )
            if not good:
                print(verdict, file=sys.stderr)
    print(f"{wrong} answers judged wrongly", file=sys.stderr)
    return 1 if wrong else 0


def attacks(exercise: Exercise, *, every: bool = True) -> list[Attack]:
    """Return the attacks that apply to an exercise, those of its own folder first.

    Args:
        every: all of them, as ``./lab build attack`` does. Else the wrong one that came last to
            ``answers.yaml``; without any, and for the first exercise of a lesson, also the most
            general of those that are made the same way for every exercise: results made up. Right
            answers are then played by the contract tests alone.
    """
    fault, repaired = exercise.fault, (*exercise.fault, *exercise.repair)
    found = list(_of_folder(exercise))
    made_up = list(_made(exercise, "results made up", repaired, _nothing_done))
    if not every:
        own = [a for a in found if not a.right][-1:]
        return [*own, *(made_up if not own or exercise.number == 1 else ())]
    found += made_up
    found.append(Attack("harmless changes besides", True, repaired, _harmless(exercise)))
    found += _made(exercise, "the mail leaves elsewhere", repaired, _mail_elsewhere)
    found += _made(exercise, "another workflow under the name", fault, _another_workflow)
    found += _special_cased(exercise)
    for step in _called(exercise, repaired):
        found += _made(exercise, f"without {step}", repaired, _without(step))
    if not exercise.action:  # what an accident needs is no change of a file
        found.append(Attack("the files untouched", False, fault))
        either = ("passed", "unknown")
        found.append(Attack("the scenario twice", True, repaired, times=2, becomes=either))
    return found


def run(exercise: Exercise, attack: Attack) -> Verdict:
    """Play an attack on the real runtime and return the verdict."""
    if attack.scenario or attack.times:
        edits = attack.edits
        with played(exercise, edits, attack.scenario, times=attack.times or 1) as verdict:
            return verdict
    prepare(exercise, attack.edits)
    if attack.change:
        attack.change(exercise.work)
    return Verdict(exercise.id, tuple(try_out(exercise)))


@contextmanager
def own_state() -> Iterator[None]:
    """Keep the files and labs of an attack out of the learner's state."""
    programs, before = runtime.binaries(), os.environ.get("LABKIT_STATE")
    with tempfile.TemporaryDirectory(prefix="attack-", ignore_cleanup_errors=True) as folder:
        os.environ |= {"LABKIT_STATE": str(Path(folder).resolve())}
        os.environ |= {"LABKIT_DAPR_BIN": str(programs.folder)}
        try:
            yield
        finally:
            os.environ.pop("LABKIT_STATE")
            if before is not None:
                os.environ["LABKIT_STATE"] = before


# --- answers that come with the exercise ------------------------------------------------------


def _of_folder(exercise: Exercise) -> Iterator[Attack]:
    file = exercise.folder / "answers.yaml"
    answers = yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}
    for kind in ("wrong", "right"):
        for raw in answers.get(kind) or ():
            yield _answer(exercise, kind, raw)


def _answer(exercise: Exercise, kind: str, raw: dict[str, Any]) -> Attack:
    base = () if raw.get("from") == "fault" else exercise.repair
    becomes = raw.get("becomes", ())
    return Attack(
        raw["name"],
        kind == "right",
        (*exercise.fault, *base, *edits_from(raw.get("edits", []), exercise.file)),
        scenario=edits_from(raw.get("scenario", []), "exercise.py"),
        times=1 if raw.get("whole") else 0,
        becomes=(becomes,) if isinstance(becomes, str) else tuple(becomes),
    )


# --- answers that are made --------------------------------------------------------------------


def _made(
    exercise: Exercise,
    name: str,
    edits: Iterable[Edit],
    make: Callable[[Exercise, ast.Module], ast.Module],
) -> Iterator[Attack]:
    """An attack that rewrites the orchestrator's code; none where there is nothing to rewrite."""
    edits = tuple(edits)
    try:
        before = code_after(exercise, edits)[f"{exercise.host}/main.py"]
        text = ast.unparse(make(exercise, ast.parse(before)))
    except (DoesNotApply, KeyError):
        return
    yield Attack(name, False, edits, _rewrite({f"{exercise.host}/main.py": text}))


def _rewrite(texts: dict[str, str]) -> Change:
    def change(work: Path) -> None:
        for name, text in texts.items():
            (work / name).write_text(text, "utf-8")

    return change


def _workflow(exercise: Exercise, tree: ast.Module) -> ast.FunctionDef:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and _registered(node) == exercise.workflow:
            return node
    raise DoesNotApply


def _registered(node: ast.FunctionDef) -> str | None:
    """The name under which a function is registered with the runtime."""
    for call in [d for d in node.decorator_list if isinstance(d, ast.Call)]:
        for keyword in call.keywords:
            if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                return str(keyword.value.value)
    return None


class _Answers(ast.NodeTransformer):
    """Replaces what a workflow waits for by a made-up answer."""

    def __init__(self, only: str | None = None) -> None:
        self.only, self.count = only, 0

    def visit_Yield(self, node: ast.Yield) -> ast.AST:
        return self._replaced(node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> ast.AST:
        return self._replaced(node)

    def _replaced(self, node: ast.Yield | ast.YieldFrom) -> ast.AST:
        if self.only is not None and _callee(node.value) != self.only:
            return node
        self.count += 1
        return ast.parse(repr(MADE_UP), mode="eval").body


def _nothing_done(exercise: Exercise, tree: ast.Module) -> ast.Module:
    workflow = _workflow(exercise, tree)
    answers = _Answers()
    workflow.body = [answers.visit(statement) for statement in workflow.body]
    workflow.body.append(ast.parse("if False:\n    yield").body[0])
    return ast.fix_missing_locations(tree)


def _without(step: str) -> Callable[[Exercise, ast.Module], ast.Module]:
    def make(exercise: Exercise, tree: ast.Module) -> ast.Module:
        workflow, answers = _workflow(exercise, tree), _Answers(step)
        workflow.body = [answers.visit(statement) for statement in workflow.body]
        if not answers.count:
            raise DoesNotApply
        workflow.body.append(ast.parse("if False:\n    yield").body[0])
        return ast.fix_missing_locations(tree)

    return make


def _called(exercise: Exercise, edits: Iterable[Edit]) -> list[str]:
    """The names of what the workflow waits for, one by one."""
    try:
        text = code_after(exercise, edits)[f"{exercise.host}/main.py"]
        workflow = _workflow(exercise, ast.parse(text))
    except (DoesNotApply, KeyError):
        return []
    waits = [n for n in ast.walk(workflow) if isinstance(n, (ast.Yield, ast.YieldFrom))]
    rescues = [n for n in ast.walk(workflow) if isinstance(n, ast.ExceptHandler)]
    # What is called only after a failure needs that failure to be missed.
    rare = {id(n) for rescue in rescues for n in ast.walk(rescue)}
    waits = [w for w in waits if id(w) not in rare]
    return sorted({name for name in (_callee(w.value) for w in waits) if name})


def _callee(node: ast.expr | None) -> str | None:
    """The activity or child workflow that an expression calls by ``ctx.call_…``."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return None
    first = node.args[0]
    if isinstance(first, ast.Constant):
        return str(first.value)
    return first.id if isinstance(first, ast.Name) else None


MAIL_HERE = """
@wfr.activity(name="attack_mail_here")
def attack_mail_here(ctx, mail):
    import smtplib
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@b.example", mail["recipient"], "Task"
    message["X-Idempotency-Key"] = ctx.get_inner_context().task_execution_id
    with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"]), timeout=5) as server:
        server.send_message(message)
    return {"sent": True, "channel": "email"}
"""


class _Here(ast.NodeTransformer):
    """Lets every call of send_email go to an activity of the orchestrator."""

    count = 0

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if _callee(node) != "send_email":
            return node
        self.count += 1
        node.args = [ast.Constant("attack_mail_here"), *node.args[1:]]
        node.keywords = [k for k in node.keywords if k.arg != "app_id"]
        return node


def _mail_elsewhere(exercise: Exercise, tree: ast.Module) -> ast.Module:
    here = _Here()
    here.visit(_workflow(exercise, tree))
    if not here.count:
        raise DoesNotApply
    return _before_main(tree, MAIL_HERE)


def _another_workflow(exercise: Exercise, tree: ast.Module) -> ast.Module:
    """Register a healthy workflow of the file under the name that the scenario schedules."""
    mine = _workflow(exercise, tree)
    for node in tree.body:
        other = _registered(node) if isinstance(node, ast.FunctionDef) else None
        if other in KNOWN and other != exercise.workflow:
            assert isinstance(node, ast.FunctionDef)
            _rename(node, exercise.workflow)
            _rename(mine, f"old_{exercise.workflow}")
            return tree
    raise DoesNotApply


def _rename(node: ast.FunctionDef, name: str) -> None:
    for call in [d for d in node.decorator_list if isinstance(d, ast.Call)]:
        for keyword in call.keywords:
            if keyword.arg == "name":
                keyword.value = ast.Constant(name)


def _special_cased(exercise: Exercise) -> Iterator[Attack]:
    """Behave as repaired for the data of the notebook only."""
    visible = scenario_of(exercise)
    words = [w for w in ("task-123", "alice@example.com", "Review PR") if w in visible]
    edits = (*exercise.fault, *exercise.repair)
    old, new = code_after(exercise, exercise.fault), code_after(exercise, edits)
    changed = {name for name in new if old.get(name) != new[name]}
    texts = {n: _joined(old.get(n, ""), new[n], words[0]) for n in changed} if words else {}
    texts = {name: text for name, text in texts.items() if text}
    if texts:
        yield Attack("the visible data special-cased", False, edits, _rewrite(texts))


def _joined(fault: str, repair: str, word: str) -> str:
    """The repaired file, in which functions that changed act as before for all but some data."""
    old = {n.name: n for n in ast.parse(fault).body if isinstance(n, ast.FunctionDef)}
    tree, changed = ast.parse(repair), 0
    body: list[ast.stmt] = []
    for node in tree.body:
        before = old.get(node.name) if isinstance(node, ast.FunctionDef) else None
        if before and isinstance(node, ast.FunctionDef) and _differs(before, node):
            changed += 1
            body += _dispatched(before, node, word)
        else:
            body.append(node)
    tree.body = body
    return ast.unparse(ast.fix_missing_locations(tree)) if changed else ""


def _differs(old: ast.FunctionDef, new: ast.FunctionDef) -> bool:
    """Whether two functions with an input do different things.

    The name under which one is registered is left out: it cannot depend on the data.
    """
    changed = [ast.dump(n) for n in old.body] != [ast.dump(n) for n in new.body]
    return changed and len(new.args.args) >= 2


def _dispatched(old: ast.FunctionDef, new: ast.FunctionDef, word: str) -> list[ast.stmt]:
    decorators, name, arguments = new.decorator_list, new.name, ast.unparse(new.args)
    old.name, new.name = f"old_{name}", f"new_{name}"
    old.decorator_list, new.decorator_list = [], []
    names = ", ".join(a.arg for a in new.args.args)
    waits = any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(new))
    call = f"(yield from chosen({names}))" if waits else f"chosen({names})"
    text = (
        f"def {name}({arguments}):\n"
        f"    chosen = new_{name} if {word!r} in repr(({names},)) else old_{name}\n"
        f"    return {call}"
    )
    made = ast.parse(text).body[0]
    assert isinstance(made, ast.FunctionDef)
    made.decorator_list = decorators
    return [old, new, made]


BYSTANDER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: bystander, namespace: tasks}
spec:
  selector: {matchLabels: {app: bystander}}
  template:
    metadata:
      labels: {app: bystander}
      annotations: {dapr.io/enabled: "true", dapr.io/app-id: bystander, dapr.io/log-level: warn}
    spec:
      containers:
        - {name: service, image: "example.com/audit-service:1.0", command: [sleep, "600"]}
"""
NOTE = """
@wfr.activity(name="attack_note")
def attack_note(ctx, words):
    return {"noted": True}
"""


def _harmless(exercise: Exercise) -> Change:
    """Changes that a good engineer may make besides: a log level, an app, a step of one's own."""

    def change(work: Path) -> None:
        if exercise.manifests:
            (exercise.run_file / "bystander.yaml").write_text(BYSTANDER, "utf-8")
        else:
            _with_bystander(work / "dapr.yaml")
        if exercise.in_flight:  # a step besides would break the instances that are under way
            return
        file = work / exercise.host / "main.py"
        tree = ast.parse(file.read_text("utf-8"))
        try:
            workflow = _workflow(exercise, tree)
        except DoesNotApply:
            return
        first = ast.parse("ctx.call_activity('attack_note', input={'text': 'hello'})").body[0]
        assert isinstance(first, ast.Expr)
        workflow.body.insert(_after_docstring(workflow), ast.Expr(ast.Yield(first.value)))
        ast.fix_missing_locations(tree)
        file.write_text(ast.unparse(_before_main(tree, NOTE)), "utf-8")

    return change


def _with_bystander(run_file: Path) -> None:
    text = run_file.read_text("utf-8").replace("common:\n", "common:\n  logLevel: warn\n", 1)
    run_file.write_text(f"{text.rstrip()}\n  - appID: bystander\n    appDirPath: .\n", "utf-8")


def _after_docstring(node: ast.FunctionDef) -> int:
    return 1 if ast.get_docstring(node) is not None else 0


def _before_main(tree: ast.Module, text: str) -> ast.Module:
    """Insert functions before the last statement, which starts the service."""
    tree.body[-1:-1] = ast.parse(text).body
    return ast.fix_missing_locations(tree)
