"""Environments as files that a POSIX shell reads, and which variables must not be inherited.

What a user's shell says about another Dapr would send a lab's processes, or the SDK in them, there:
the SDK reads ``DAPR_*``, ``HTTP_APP_PORT`` and ``GRPC_APP_PORT``; the sidecar ``APP_API_TOKEN``,
``NAMESPACE`` and ``OTEL_*``; commands what the Dapr CLI tells them, ``APP_*``.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from labkit import paths

_OF_ANOTHER_DAPR = re.compile(
    r"(DAPR|OTEL)_[A-Za-z0-9_]+|APP_(ID|PORT|PROTOCOL|CHANNEL_ADDRESS|API_TOKEN)|(HTTP|GRPC)_APP_PORT"
    r"|NAMESPACE|POD_NAME|SENTRY_LOCAL_IDENTITY|SMTP_(HOST|PORT)|REDIS_(HOST|PASSWORD)|LEDGER"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNSET = r"""unset $(env | sed -nE 's/^(%s)=.*/\1/p')"""


def without_another_dapr(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what points to a Dapr outside the lab."""
    return {k: v for k, v in env.items() if not _OF_ANOTHER_DAPR.fullmatch(k)}


def write(file: Path, env: Mapping[str, str]) -> None:
    """Write what makes a shell's environment this one; it holds a token, so for its user only.

    What a terminal has as this process has it (``HOME``, say) is left out: secrets stay where
    they are.
    """
    own = {k: v for k, v in env.items() if os.environ.get(k) != v or _OF_ANOTHER_DAPR.fullmatch(k)}
    lines = [_UNSET % _OF_ANOTHER_DAPR.pattern]
    lines += [f"export {k}={shlex.quote(v)}" for k, v in own.items() if _NAME.fullmatch(k)]
    file.parent.mkdir(mode=0o700, exist_ok=True)
    paths.write_private(file, "\n".join([*lines, ""]))


def lines(folder: Path, env_file: Path, command: str) -> list[str]:
    """Return shell lines that run a command there, in a shell of its own."""
    quoted = [shlex.quote(str(p)) for p in (folder, env_file)]
    return [f"(cd {quoted[0]} &&", f" . {quoted[1]} &&", f" exec {command})"]
