"""A small local mail catcher: takes every mail by SMTP, delivers none, keeps all in a Maildir.

Runs as a program (``python catcher.py --port N --inbox DIR``), on loopback only. The reading
side is :func:`inbox`. Files in its folder make it refuse mails, or take few at once, as a provider
does: :class:`labkit.mail.server.MailServer` writes and reads them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import mailbox
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
KEY_HEADER = "X-Idempotency-Key"
REFUSE, REFUSED = "refuse", "refused.txt"
"""In the folder of the inbox: while the first file is there every mail is refused, and who should
have got it is written to the second one."""
LIMIT, TRIES = "limit.json", "tries.jsonl"
"""While the first file is there the server takes so many mails at once, each for so many seconds
(``at_once``, ``seconds``), and the others wait; what came and what was done is added to the second
one. A client that gives up does not take its mail out of the line: the server does not know."""
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Mail:
    """One mail that arrived.

    Attributes:
        idempotency_key: the header ``X-Idempotency-Key``, or "" when there was none.
        received_at: seconds since the epoch.
    """

    to: str
    subject: str
    body: str
    idempotency_key: str
    received_at: float

    def __repr__(self) -> str:
        return f"Mail(to={self.to!r}, subject={self.subject!r})"


class Inbox(tuple[Mail, ...]):
    """The mails that arrived, oldest first."""

    def to(self, recipient: str) -> Inbox:
        """Return the mails to one recipient."""
        return Inbox(m for m in self if m.to == recipient)

    def __repr__(self) -> str:
        lines = [f"{len(self)} mails" if len(self) != 1 else "1 mail"]
        return "\n".join([*lines, *(f"  to {m.to}: {m.subject}" for m in self)])

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(t)}</td>" for t in (m.to, m.subject, m.body)) + "</tr>"
            for m in self
        )
        head = "<tr><th>To</th><th>Subject</th><th>Text</th></tr>"
        return f"<table><caption>{len(self)} in the inbox</caption>{head}{rows}</table>"


def inbox(folder: Path) -> Inbox:
    """Return the mails in a Maildir, oldest first; empty when there is none."""
    if not (folder / "new").is_dir():
        return Inbox()
    found = []
    for file in folder.joinpath("new").iterdir():
        with suppress(FileNotFoundError), file.open("rb") as raw:
            found.append(_read(mailbox.MaildirMessage(raw), file.stat().st_mtime_ns / 1e9))
    return Inbox(sorted(found, key=lambda m: m.received_at))


def _read(message: Any, received_at: float) -> Mail:
    payload = message.get_payload(decode=True) or b""
    return Mail(
        to=str(message.get("To", "")),
        subject=str(message.get("Subject", "")),
        body=payload.decode("utf-8", "replace").strip(),
        idempotency_key=str(message.get(KEY_HEADER, "")),
        received_at=received_at,
    )


class Line:
    """The mails that a slow server has taken and not yet delivered, first come, first served."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._came, self._busy = folder, 0, 0
        self._waiting: list[int] = []

    async def served(self, envelope: Any) -> None:
        """Return when a mail has had its turn, and its seconds are over."""
        self._came += 1
        number = self._came
        self._waiting.append(number)
        self._note(number, came=time.time(), to=envelope.rcpt_tos[0])
        while self._waiting[0] != number or self._busy >= self._limit("at_once"):
            await asyncio.sleep(POLL_SECONDS)
        self._waiting.remove(number)
        self._busy += 1
        await asyncio.sleep(self._limit("seconds"))
        self._busy -= 1
        self._note(number, done=time.time())

    def _limit(self, name: str) -> float:
        """Return what the file says now; a server without one takes everything at once."""
        with suppress(OSError, ValueError):
            return float(json.loads((self._folder / LIMIT).read_text("utf-8"))[name])
        return {"at_once": float("inf"), "seconds": 0.0}[name]

    def _note(self, number: int, **facts: Any) -> None:
        with (self._folder / TRIES).open("a", encoding="utf-8") as out:
            out.write(json.dumps({"number": number, **facts}) + "\n")


async def serve(port: int, folder: Path) -> None:
    """Take mails until SIGTERM."""
    from aiosmtpd.handlers import Mailbox
    from aiosmtpd.smtp import SMTP

    class Catcher(Mailbox):
        """Keeps each mail, or refuses it for as long as a file says so."""

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            if not (folder / REFUSE).exists():
                # Goes on when the client has left: the server does not know.
                return await asyncio.shield(self._taken(server, session, envelope))
            with (folder / REFUSED).open("a", encoding="utf-8") as out:
                out.writelines(f"{recipient}\n" for recipient in envelope.rcpt_tos)
            return "451 refused for now, as the lab was asked to"

        async def _taken(self, server: Any, session: Any, envelope: Any) -> str:
            if (folder / LIMIT).exists():
                await line.served(envelope)
            return str(await super().handle_DATA(server, session, envelope))

    loop = asyncio.get_running_loop()
    line, handler = Line(folder), Catcher(folder)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="localhost", loop=loop), HOST, port
    )
    async with server:
        await ended.wait()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the catcher."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=1025)
    parser.add_argument("--inbox", type=Path, required=True, help="a Maildir; made when missing")
    options = parser.parse_args(argv)
    asyncio.run(serve(options.port, options.inbox))


if __name__ == "__main__":
    main()
