"""Sources: what an app registers, and what others call in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.preflight import calls_of, inspect
from labkit.preflight.sources import read
from tests.support.manifests import (
    about,
    app,
    broken,
    calling,
    line_of,
    run_file,
    states,
    store,
    worker,
    write,
)


def test_a_call_to_an_app_that_nobody_deploys_is_found_by_its_line(tmp_path):
    source = tmp_path / "main.py"
    source.write_text(
        "TARGET = 'notifications'\n\n\ndef w(ctx, x):\n"
        "    yield ctx.call_activity('send', input=x, app_id=TARGET)\n"
        "    yield ctx.call_activity('send', input=x, app_id=x['app'])\n"
    )
    write(tmp_path, a=app("one"), s=store())
    names = [f for f in inspect([tmp_path], [source]) if f.requirement == "names"]
    assert [(f.state, f.where) for f in names] == [
        ("broken", f"{source}:5"),
        ("cannot be known", f"{source}:6"),
    ]


def test_without_any_source_it_says_how_to_give_one(tmp_path):
    write(tmp_path, a=app("one"), s=store())
    (found,) = about(inspect([tmp_path]), "names")
    assert found.state == "cannot be known"
    assert found.why.endswith("give the code of the apps with --source")


def test_a_source_that_is_no_python_gives_line_and_column(tmp_path):
    source = tmp_path / "main.py"
    source.write_text("def w(ctx:\n    pass\n")
    write(tmp_path, a=app("one"), s=store())
    (found,) = [f for f in inspect([tmp_path], [source]) if f.requirement == "file"]
    assert found.where.startswith(f"{source}:")
    assert "not valid Python" in found.why


# --- names ----------------------------------------------------------------------------------------

REGISTERED = """\
NAME = "by-constant"


@wfr.activity(name="send_email")
def send(ctx, x): ...


@wfr.activity
def bare(ctx): ...


@wfr.workflow()
def parent(ctx, x): ...


@wfr.versioned_workflow(name="versioned", is_latest=True)
def v1(ctx, x): ...


@wfr.activity
@wf.alternate_name("other")
def aliased(ctx): ...


def plain(ctx): ...
def second(ctx): ...
def third(ctx): ...


wfr.register_activity(plain, name=NAME)
wfr.register_workflow(second)
wfr.activity(name="called")(third)
"""


def test_registrations_in_all_their_forms(tmp_path):
    found = read([worker(tmp_path, REGISTERED)]).registrations
    assert {(r.kind, r.name) for r in found} == {
        ("activity", "send_email"),
        ("activity", "bare"),
        ("workflow", "parent"),
        ("workflow", "versioned"),
        ("activity", "other"),
        ("activity", "by-constant"),
        ("workflow", "second"),
        ("activity", "called"),
    }
    assert len(found) == 8


@pytest.mark.parametrize(
    ("call", "state", "words"),
    [
        ("call_activity('send_email', app_id='two')", "holds", "two registers send_email in"),
        ("call_activity('by-constant', app_id='two')", "holds", ""),
        ("call_child_workflow('parent', app_id='two')", "holds", ""),
        ("call_activity('send_mail', app_id='two')", "broken", "did you mean send_email?"),
        (
            "call_activity('xyz', app_id='two')",
            "broken",
            "use one of: bare, by-constant, called",
        ),
        ("call_activity('parent', app_id='two')", "broken", "use call_child_workflow"),
        ("call_child_workflow('bare', app_id='two')", "broken", "bare as an activity"),
        ("call_activity('bare', app_id='nowhere')", "broken", "which no manifest deploys"),
        ("call_activity(x['name'], app_id='two')", "cannot be known", "computed at run time"),
    ],
)
def test_a_name_is_judged_by_the_sources_of_the_app(tmp_path, call, state, words):
    file = run_file(tmp_path, "one", "two")
    worker(tmp_path / "one", calling(call))
    worker(tmp_path / "two", REGISTERED)
    (found,) = about(inspect([file]), "names")
    assert found.state == state
    assert words in f"{found.why} {found.fix}"
    assert "app_id" in line_of(found)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("for f in (a, b):\n    wfr.register_activity(f)\n", "registers a computed name"),
        ("import os\n@wfr.activity(name=os.environ['N'])\ndef a(ctx): ...\n", "computed name"),
        ("from lib import send\nwfr.register_activity(send)\n", "computed name"),
        ("def (:\n", "not all of its sources could be read"),
    ],
)
def test_a_name_that_may_be_registered_by_computed_code_cannot_be_known(tmp_path, code, words):
    file = run_file(tmp_path, "one", "two")
    worker(tmp_path / "one", calling("call_activity('work', app_id='two')"))
    worker(tmp_path / "two", "@wfr.activity\ndef other(ctx): ...\n")
    worker(tmp_path / "two", code, "more.py")
    found = inspect([file])
    assert broken(found) == []
    assert words in about(found, "names")[0].why


def test_an_app_in_another_language_with_a_python_script_cannot_be_known(tmp_path):
    file = run_file(tmp_path, "one", "two")
    worker(tmp_path / "one", calling("call_activity('work', app_id='two')"))
    (tmp_path / "two" / "deploy.py").write_text("print('not a worker')\n")
    (found,) = about(inspect([file]), "names")
    assert (found.state, "do not use the workflow SDK" in found.why) == ("cannot be known", True)


def test_hidden_folders_environments_tests_and_folders_of_other_apps_are_not_read(tmp_path):
    file = run_file(tmp_path, "one", "two")
    file.write_text(file.read_text().replace("appDirPath: one", "appDirPath: ."))
    worker(tmp_path, calling("call_activity('work', app_id='two')"))
    worker(tmp_path / "two", "@wfr.activity\ndef other(ctx): ...\n")
    worker(tmp_path / "two", "@wfr.activity\ndef work(ctx): ...\n", "test_main.py")
    for name in (".venv", "env", "tests"):
        worker(tmp_path / "two" / name, "@wfr.activity\ndef work(ctx): ...\n")
    (tmp_path / "two" / "env" / "pyvenv.cfg").touch()
    found = inspect([file])
    assert states(found) == ["broken"]
    assert [f.why for f in about(found, "state store")][1] == "two sees statestore"


def test_two_apps_in_one_folder_cannot_be_told_apart(tmp_path):
    file = run_file(tmp_path, "one", "two")
    file.write_text(file.read_text().replace("appDirPath: two", "appDirPath: one"))
    code = "@wfr.activity\ndef work(ctx): ...\n" + calling("call_activity('work', app_id='two')")
    worker(tmp_path / "one", code)
    (found,) = about(inspect([file]), "names")
    assert (found.state, "several apps" in found.why) == ("cannot be known", True)
    worker(tmp_path / "one", code.replace("'work'", "'nothing'"))
    assert states(inspect([file])) == ["broken"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("@wfr.activity\ndef send_email(ctx): ...\n", "registers send_email; whether two runs it"),
        ("@wfr.activity\ndef send_mail(ctx): ...\n", "register send_mail, and not send_email"),
        ("@wfr.workflow\ndef send_email(ctx): ...\n", "do not register it as an activity"),
        ("", "is known to its code only"),
    ],
)
def test_sources_given_for_kubernetes_say_what_they_know(tmp_path, target, words):
    write(tmp_path, a=app("one"), b=app("two"), s=store())
    caller = tmp_path / "caller.py"
    caller.write_text("def w(ctx, x):\n    yield ctx.call_activity('send_email', app_id='two')\n")
    source = worker(tmp_path / "src", target)
    for sources in ([caller, source], [caller, tmp_path / "src", caller]):
        (found,) = about(inspect([tmp_path], sources), "names")
        assert found.state == "cannot be known"
        assert words in found.why


def test_a_source_given_beside_the_folder_of_the_app_may_be_its_own(tmp_path):
    file = run_file(tmp_path, "one", "two")
    worker(tmp_path / "one", calling("call_activity('work', app_id='two')"))
    worker(tmp_path / "two", "")
    shared = worker(tmp_path / "shared", "@wfr.activity\ndef work(ctx): ...\n")
    assert states(inspect([file])) == ["broken"]
    assert states(inspect([file], [shared, tmp_path / "one" / "main.py"])) == ["cannot be known"]


# --- calls ----------------------------------------------------------------------------------------

CALLS = """\
from typing import Final
import lib
from lib import imported as renamed

ONE = "one"
TWO: Final = "two"
PREFIX = "app"
THREE = f"{PREFIX}-three"
CHANGED = "x"
CHANGED = "y"
SHADOW = "x"


@wfr.activity(name="named")
def function(ctx): ...


def plain(ctx): ...


def w(ctx, x, SHADOW, variable):
    yield ctx.call_activity("local")
    yield ctx.call_activity("local", app_id=None)
    yield ctx.call_activity(function, app_id=ONE)
    yield ctx.call_activity(plain, app_id=TWO)
    yield ctx.call_activity(renamed, app_id=THREE)
    yield ctx.call_activity(lib.other, app_id=f"{x}-app")
    yield ctx.call_activity(variable, app_id=CHANGED)
    yield ctx.call_activity(activity=x.name, app_id=SHADOW)
    yield ctx.call_child_workflow(workflow="child", app_id=f"plain")
"""


def test_app_ids_and_names_of_calls_as_far_as_they_are_texts(tmp_path):
    found = calls_of(worker(tmp_path, CALLS))
    assert [(c.app_id, c.name) for c in found] == [
        ("one", "named"),
        ("two", "plain"),
        ("app-three", "imported"),
        (None, "other"),
        (None, None),
        (None, None),
        ("plain", "child"),
    ]


def test_a_function_of_another_file_stands_for_its_registered_name(tmp_path):
    file = run_file(tmp_path, "one", "two")
    worker(tmp_path / "one", "@wfr.activity(name='work')\ndef function(ctx): ...\n", "acts.py")
    code = "from acts import function\n" + calling("call_activity(function, app_id='two')")
    worker(tmp_path / "one", code)
    worker(tmp_path / "two", "@wfr.activity\ndef work(ctx): ...\n")
    assert states(inspect([file])) == ["holds"]
    (tmp_path / "one" / "acts.py").unlink()
    assert states(inspect([file])) == ["cannot be known"]


def test_a_source_that_is_closed_or_too_large_is_told(tmp_path):
    large = worker(tmp_path, "#" * 1_000_001)
    (found,) = read([large]).problems
    assert found.state == "cannot be known"
    assert found.why == "it cannot be read: it is larger than 1 MB"
    assert read([tmp_path]).problems[0].state == "cannot be known"


@settings(max_examples=100)
@given(st.text(max_size=60) | st.binary(max_size=60))
def test_no_source_makes_it_crash(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.py"
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    file.write_bytes(data)
    read([file])
