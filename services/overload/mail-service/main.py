"""mail-service: sends mails through a provider that delivers few at once.

``send_mail`` occupies a thread of the worker; ``send_mail_async`` occupies none. Both give up when
the provider has not answered in time, and the provider does not know that they did.
"""

import asyncio
import os
import signal
import smtplib
from email.message import EmailMessage

import dapr.ext.workflow as wf

HOST = os.environ.get("SMTP_HOST", "127.0.0.1")
PORT = int(os.environ.get("SMTP_PORT", "1025"))
THREADS = int(os.environ.get("THREADS", "4"))
GIVE_UP_SECONDS = float(os.environ.get("GIVE_UP_SECONDS", "2"))

wfr = wf.WorkflowRuntime(maximum_thread_pool_workers=THREADS)


class ProviderFailed(Exception):
    """The provider has refused a mail, or has not answered in time."""


@wfr.activity(name="send_mail")
def send_mail(ctx, mail: dict[str, str]) -> str:
    """Send one mail, in a thread of the worker."""
    try:
        with smtplib.SMTP(HOST, PORT, timeout=GIVE_UP_SECONDS) as server:
            server.send_message(message_of(mail))
    except (OSError, smtplib.SMTPException) as problem:
        raise ProviderFailed(f"no mail to {mail['to']}: {type(problem).__name__}") from problem
    return mail["to"]


@wfr.activity(name="send_mail_async")
async def send_mail_async(ctx, mail: dict[str, str]) -> str:
    """Send one mail; while the provider works, no thread waits."""
    try:
        await asyncio.wait_for(hand_over(message_of(mail)), GIVE_UP_SECONDS)
    except (OSError, asyncio.TimeoutError) as problem:
        raise ProviderFailed(f"no mail to {mail['to']}: {type(problem).__name__}") from problem
    return mail["to"]


@wfr.activity(name="count_mails")
def count_mails(ctx, mails: list) -> int:
    """Quick work of the same app, without the provider."""
    return len(mails)


def message_of(mail: dict) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "desk@example.com", mail["to"], "Order"
    message.set_content("Your order is on its way.")
    return message


async def hand_over(message: EmailMessage) -> None:
    """Speak SMTP: one mail over a connection of its own."""
    reader, writer = await asyncio.open_connection(HOST, PORT)
    try:
        await answered(reader)
        sender, recipient = message["From"], message["To"]
        for line in (
            "HELO mail-service",
            f"MAIL FROM:<{sender}>",
            f"RCPT TO:<{recipient}>",
            "DATA",
        ):
            writer.write(line.encode() + b"\r\n")
            await answered(reader)
        writer.write(message.as_bytes().replace(b"\n", b"\r\n") + b"\r\n.\r\n")
        await answered(reader)
    finally:
        writer.close()


async def answered(reader: asyncio.StreamReader) -> None:
    """Read an answer; what begins with 4 or 5 is a refusal."""
    line = await reader.readline()
    if line[:1] not in (b"2", b"3"):
        raise ConnectionError(line.decode().strip() or "connection closed")


if __name__ == "__main__":
    wfr.start()
    signal.pause()
