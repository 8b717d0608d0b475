"""How a process ended is known from outside, and its log is asked for the line that says why."""

from __future__ import annotations

import os
import secrets
import signal
import sys

import pytest

from labkit.processes import lifeline, lives
from labkit.processes.supervisor import Supervisor
from labkit.waiting import wait_until

PANIC = """\
time="2026-11-25T18:01:14Z" level=info msg="Starting Dapr Scheduler Service"
panic: wal: max entry size limit exceeded

goroutine 1 [running]:
go.etcd.io/etcd/server/v3/storage/wal.(*encoder).encode(0xc000)
\t/go/pkg/mod/go.etcd.io/etcd/server/v3/encoder.go:87 +0x1d
main.main()
\t/src/cmd/scheduler/main.go:27 +0x25
exit status 2
"""
FATAL = (
    'time="2026-11-25T18:01:14Z" level=warning msg="before"\n'
    'time="2026-11-25T18:01:14Z" level=fatal msg="Fatal error: \\"x\\" is wrong" ver=1\n'
)
TWO_TRACEBACKS = """\
Traceback (most recent call last):
  File "main.py", line 3, in first
    raise ValueError("handled")
ValueError: handled
going on
Traceback (most recent call last):
  File "main.py", line 9, in <module>
    import nothing_of_that_name
ModuleNotFoundError: No module named 'nothing_of_that_name'
Exception ignored in: <function __del__ at 0x7f>
"""
SYNTAX = """\
  File "/x/main.py", line 3
    def f(
         ^
SyntaxError: '(' was never closed
"""
LIBRARY = """\
Traceback (most recent call last):
  File "/x/service/main.py", line 7, in <module>
    book(order)
  File "/x/.venv/lib/python3.11/site-packages/shop/ledger.py", line 70, in book
    return row["order"]
           ~~~^^^^^^^^^
KeyError: 'order'
"""
RPC = """\
Traceback (most recent call last):
  File "main.py", line 9, in <module>
    wfr.start()
grpc._channel._InactiveRpcError: <_InactiveRpcError of RPC that terminated with:
\tstatus = StatusCode.UNAVAILABLE
\tdetails = "failed to connect to all addresses"
>
"""


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (PANIC, 2, "panic: wal: max entry size limit exceeded"),
        (FATAL, 1, 'Fatal error: "x" is wrong'),
        (
            TWO_TRACEBACKS,
            1,
            "ModuleNotFoundError: No module named 'nothing_of_that_name' (main.py, line 9)",
        ),
        (TWO_TRACEBACKS + "giving up\n", 3, "giving up"),
        (SYNTAX, 1, "SyntaxError: '(' was never closed (main.py, line 3)"),
        (LIBRARY, 1, "KeyError: 'order' (main.py, line 7)"),
        ("one\ntwo\n\n", 0, "two"),
        ("", 0, ""),
    ],
    ids=["panic", "fatal", "traceback", "own exit", "syntax", "library", "last line", "nothing"],
)
def test_the_telling_line_of_a_log_is_the_reason_of_the_end(text, code, line):
    assert lives.telling(text, code) == line


def test_of_a_grpc_error_the_details_are_shown_too():
    assert "failed to connect to all addresses" in lives.telling(RPC, 1)


def test_a_telling_line_is_never_longer_than_a_line():
    assert len(lives.telling("word " * 1000, 1)) <= lives.LONGEST


@pytest.fixture
def supervisor(tmp_path):
    own = Supervisor("test-" + secrets.token_hex(4), [], tmp_path)
    yield own
    own.close()
    assert lifeline.marked(own.run_id) == []


def _start(supervisor, folder, code, name="web worker"):
    argv = [sys.executable, "-c", code]
    log = folder / "logs" / f"{name.replace(' ', '.')}.log"
    return supervisor.start(name, argv, dict(os.environ), folder, log)


def test_another_kernel_knows_how_a_process_ended(supervisor, tmp_path):
    one = _start(supervisor, tmp_path, "print('bye'); raise SystemExit(3)")
    wait_until(lambda: one.ended_at)
    (seen,) = lives.newest(tmp_path)
    wait_until(lambda: seen.exit_code == 3)
    assert not seen.is_alive
    assert seen.ending() == one.ending()
    assert seen.last_line() == "bye"
    found = lives.trouble(seen, "lab.up('web')")
    assert (found.name, found.part, found.fix) == ("web", "worker", "lab.up('web')")
    assert str(found) == f'web worker {one.ending()}; its log says: "bye"'


def test_of_a_second_life_only_its_own_output_counts(supervisor, tmp_path):
    first = _start(supervisor, tmp_path, "raise ValueError('the first')")
    wait_until(lambda: first.ended_at)
    second = _start(supervisor, tmp_path, "raise SystemExit(4)")
    wait_until(lambda: second.ended_at)
    assert "the first" in first.output()
    assert second.last_line() == ""
    assert [s.pid for s in lives.lives(tmp_path)] == [first.pid, second.pid]
    (newest,) = lives.newest(tmp_path)
    assert newest.pid == second.pid


def test_a_pid_that_another_program_has_by_now_is_not_taken_for_the_process(supervisor, tmp_path):
    process = _start(supervisor, tmp_path, "import time\nwhile True: time.sleep(60)")
    (seen,) = lives.newest(tmp_path)
    assert seen.is_alive
    entry = dict(next(lives.entries(tmp_path)), created=lives.created_at(os.getpid()) - 1000)
    assert not lives.Seen(tmp_path, entry).is_alive
    assert lives.Seen(tmp_path, entry).ending() == "ended, nobody saw how"
    process.kill()


def test_what_somebody_else_killed_has_no_telling_line(supervisor, tmp_path):
    process = _start(supervisor, tmp_path, "print('up', flush=True)\nwhile True: pass")
    wait_until(lambda: "up" in process.output())
    process.kill()
    assert process.was_killed
    assert process.last_line() == ""
    assert signal.SIGKILL.name in process.ending()


def test_a_run_that_was_ended_as_a_whole_says_by_what_until_something_starts(supervisor, tmp_path):
    assert lives.stopped(tmp_path) is None
    lives.note(tmp_path, "stop", at=1.0)
    found = lives.stopped(tmp_path)
    assert (found.name, found.how) == (lives.WHOLE, "was stopped by ./lab stop")
    _start(supervisor, tmp_path, "pass")
    assert lives.stopped(tmp_path) is None


def test_a_torn_line_of_a_journal_is_skipped(tmp_path):
    (tmp_path / lives.JOURNAL).write_text('{"event": "st\n{"event": "stop", "at": 2}\n')
    assert [e["event"] for e in lives.entries(tmp_path)] == ["stop"]
