"""Errors in a cell: the cause first, in a few lines."""

from __future__ import annotations

import grpc
import httpx
import pytest
from IPython.core.interactiveshell import InteractiveShell

from labkit.errors import LabError
from labkit.notebook import cellerrors
from labkit.waiting import Reason

NESTED = (
    "failed to lookup actor: api error: code = FailedPrecondition desc = did not find address"
    " for actor 'a/b'. More words"
)
REFUSED = (
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:4001: Failed to"
    " connect to remote host: Connection refused"
)


class Answer(grpc.RpcError):
    def __init__(self, code, details):
        self._code, self._details = code, details

    def code(self):
        return self._code

    def details(self):
        return self._details


@pytest.mark.parametrize(
    ("details", "cause"),
    [
        (NESTED, "did not find address for actor 'a/b'"),
        (REFUSED, "nothing listens at 127.0.0.1:4001"),
        ("simple", "simple"),
        ("", "no details"),
        ("word " * 100, ("word " * 19) + "…"),
    ],
)
def test_the_cause_is_the_last_link_of_the_chain(details, cause):
    assert cellerrors.cause_of(details) == cause


def test_a_grpc_error_has_the_form_of_all_errors_with_code_and_details():
    problem = Answer(grpc.StatusCode.INTERNAL, NESTED)
    text = "\n".join(cellerrors.lines_of(problem))
    assert text.startswith("call-refused: INTERNAL: did not find address")
    assert NESTED in text
    assert text.rstrip().endswith(cellerrors.MORE)
    with pytest.raises(cellerrors.CallRefused):
        raise cellerrors.refused(grpc.RpcError("bare"))


def test_an_interrupt_is_one_line_that_names_what_was_waiting():
    (line,) = cellerrors.lines_of(KeyboardInterrupt(), "lab.run('x').wait()")
    assert "lab.run('x').wait()" in line


def test_an_error_of_labkit_is_shown_as_it_is():
    error = LabError("wrong", asked="a", found="f", look_at="l", fix="m")
    assert cellerrors.lines_of(error) == str(error).splitlines()


@pytest.fixture
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def run(shell, code, capsys):
    cellerrors.register()
    capsys.readouterr()
    shell.run_cell(code)
    return capsys.readouterr().out


def test_a_name_of_a_cell_that_was_not_run_is_said_in_the_short_form(shell, capsys):
    said = run(shell, "def two():\n    return lab.up()\n\ntwo()", capsys)
    assert "name-unknown: lab is not defined" in said
    assert "Run All Above" in said
    assert "Traceback" not in said
    assert "Traceback" in run(shell, "def f():\n    print(x)\n    x = 1\n\nf()", capsys)


def test_an_http_call_that_nobody_answers_is_said_in_the_short_form(shell, capsys, monkeypatch):
    said = run(shell, "import httpx; httpx.get('http://127.0.0.1:1/task?a=b')", capsys)
    assert "call-refused: no answer: " in said
    assert "an HTTP call of http://127.0.0.1:1/task\n" in said
    assert "Traceback" not in said
    ended = Reason("assigner worker ended with SIGKILL", "the log", "lab.up('assigner')")
    monkeypatch.setattr(cellerrors, "EXPLAIN", [lambda: [ended]])
    assert cellerrors.refused(httpx.ConnectError("no")).fix == "lab.up('assigner')"
