"""Asks a sidecar as somebody with ``curl`` would: the command to type, and the answer it gets."""

from __future__ import annotations

import shutil
import subprocess
from typing import NamedTuple

import httpx

from labkit.apps.app import App
from labkit.apps.parts import HOST
from labkit.apps.sidecar import TOKEN_HEADER

SECONDS = 5
NO_CURL = "curl: not found; this answer was got without it"


class Answer(NamedTuple):
    """What was asked and what came back.

    Attributes:
        command: as it is typed beside the app, where Dapr sets these variables.
        text: the answer, or what curl says in its place.
    """

    command: str
    text: str

    def __repr__(self) -> str:
        return f"$ {self.command}\n{self.text}"


def curl(app: App, path: str) -> Answer:
    """Return what a GET at the sidecar of an app gives; run by ``curl`` itself where there is one.

    The token goes by standard input, so no list of processes shows it.

    Args:
        path: e.g. ``/v1.0/metadata``.
    """
    path = path.lstrip("/")
    address = f"http://{HOST}:$DAPR_HTTP_PORT/{path}"
    command = f'curl -s -H "{TOKEN_HEADER}: $DAPR_API_TOKEN" {address}'
    url, header = f"http://{HOST}:{app.ports.http}/{path}", f"{TOKEN_HEADER}: {app.shared.token}"
    program = shutil.which("curl")
    if program is None:
        return Answer(command, f"{NO_CURL}\n{_without(app, url)}")
    asked = [program, "-sS", "--noproxy", "*", "-m", str(SECONDS), "-H", "@-", url]
    done = subprocess.run(asked, input=header, capture_output=True, text=True, check=False)
    return Answer(command, (done.stdout or done.stderr).strip())


def _without(app: App, url: str) -> str:
    try:
        answer = app.shared.http.get(url, headers={TOKEN_HEADER: app.shared.token})
    except httpx.HTTPError as problem:
        return f"{type(problem).__name__}: {problem}"
    return str(answer.text)
