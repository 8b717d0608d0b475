"""The mail server as a provider: it delivers few at once, and does not know who has given up."""

from __future__ import annotations

import asyncio
import json
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labkit.mail import catcher
from labkit.mail.server import MailServer, Try, most_at_once
from labkit.processes.ports import is_listening
from labkit.waiting import patience, wait_until

SECONDS = 60


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A running server, whose folder is ``tmp_path / "inbox"``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    words = [sys.executable, catcher.__file__, "--port", str(free)]
    server = subprocess.Popen([*words, "--inbox", str(tmp_path / "inbox")])
    try:
        wait_until(lambda: is_listening("127.0.0.1", free), usual=SECONDS)
        yield free
    finally:
        server.terminate()
        server.wait(SECONDS)


@pytest.fixture
def provider(tmp_path: Path) -> MailServer:
    return MailServer(tmp_path / "inbox")


def send(port: int, to: str, give_up: float = SECONDS) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=give_up * patience()) as client:
        client.sendmail("a@example.com", [to], f"To: {to}\n\nhello")


def delivered(folder: Path) -> int:
    return len(catcher.inbox(folder / "inbox"))


def test_a_server_without_a_limit_keeps_no_record(port, provider, tmp_path):
    send(port, "a@example.com")
    assert (delivered(tmp_path), provider.tries()) == (1, [])


def test_it_delivers_no_more_at_once_than_its_limit(port, provider, tmp_path):
    provider.limit(at_once=2, seconds=0.05)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: send(port, f"{n}@example.com"), range(6)))
    assert delivered(tmp_path) == 6
    ends = sorted(t.done for t in provider.tries())
    assert all(later - end >= 0.04 for end, later in zip(ends, ends[2:], strict=False))


def test_a_mail_whose_sender_has_given_up_is_delivered_all_the_same(port, provider, tmp_path):
    provider.limit(at_once=0)
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(send, port, "a@example.com", 0.5 / patience())
        wait_until(lambda: provider.waiting() == 1, usual=SECONDS)
        assert isinstance(lost.exception(SECONDS), OSError)
    assert delivered(tmp_path) == 0
    provider.recover()
    wait_until(lambda: delivered(tmp_path) == 1, usual=SECONDS)
    assert provider.waiting() == 0


def test_it_refuses_until_it_recovers(port, provider, tmp_path):
    provider.refuse()
    with pytest.raises(smtplib.SMTPDataError):
        send(port, "a@example.com")
    assert provider.refused() == ["a@example.com"]
    provider.recover()
    send(port, "a@example.com")
    assert delivered(tmp_path) == 1


def test_the_line_is_first_come_first_served(tmp_path):
    provider = MailServer(tmp_path)
    provider.limit(at_once=1)

    class Envelope:
        rcpt_tos = ("a@example.com",)

    async def three() -> list[int]:
        line, order = catcher.Line(tmp_path), []

        async def one(number: int) -> None:
            await line.served(Envelope())
            order.append(number)

        await asyncio.gather(*(one(n) for n in range(3)))
        return order

    assert asyncio.run(three()) == [0, 1, 2]


def test_a_line_that_is_half_written_is_skipped(tmp_path):
    entry = {"number": 1, "came": 1.0, "to": "a@example.com"}
    (tmp_path / catcher.TRIES).write_text(json.dumps(entry) + '\n{"number": 1, "do')
    assert MailServer(tmp_path).tries() == [Try("a@example.com", 1.0, None)]


@pytest.mark.parametrize(
    ("spans", "most"),
    [([], 0), ([(1, 2), (2, 3)], 1), ([(1, 4), (2, 3), (2, None)], 3), ([(1, None)] * 2, 2)],
)
def test_how_many_were_there_at_once(spans, most):
    assert most_at_once([Try("a", came, done) for came, done in spans]) == most
