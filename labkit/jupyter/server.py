"""Opens JupyterLab: loopback only, token on, state inside ``.lab``, no request to elsewhere."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import sys
import webbrowser
from contextlib import suppress
from html import escape
from pathlib import Path
from urllib.parse import quote

import httpx
import nbformat
from nbformat.sign import NotebookNotary

from labkit import learn, paths
from labkit.course import progress
from labkit.errors import StartError
from labkit.host.console import Console
from labkit.learn import Copy
from labkit.notebook.texts import PRINTED_CSS
from labkit.processes.ports import holder_of, is_free, require_usable
from labkit.processes.supervisor import Process, Supervisor
from labkit.reading import plainhttp
from labkit.waiting import poll

HOST = "127.0.0.1"
READY_SECONDS = 180.0
"""A busy machine is slow; a server that ended is noticed at once."""
OF_ANOTHER_SERVER = ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE", "JUPYTER_NO_CONFIG")
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Opening JupyterLab</title>
<meta http-equiv="refresh" content="0;url={url}"></head>
<body><p><a href="{url}">Open JupyterLab</a></p></body>
</html>
"""
LINKED = ("docs", "lessons", "exercises", "solutions", "services", "components", "README.md")
JUPYTEXT = ("jupytext", "jupyterlab_jupytext")
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "filebrowser-extension/browser": {"showHiddenFiles": False, "showLastModifiedColumn": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}


WITHOUT = {"disabledExtensions": {"@jupyterlab/debugger-extension": True}}
"""The server of the debugger runs code for whoever connects to it, and every user of the host can
(tried with debugpy 1.8.22). It would see the kernel only: services have processes of their own."""


class JupyterPortTaken(StartError):
    """The port that was asked for JupyterLab is in use."""

    code = "jupyter-port-taken"


class JupyterEnded(StartError):
    """JupyterLab ended before it could be opened."""

    code = "jupyter-ended"


def chosen(name: str | None) -> Copy:
    """Return the notebook to open: the named one, else the first lesson that is not finished.

    Raises:
        NoSuchNotebook: no lesson or exercise fits the name.
    """
    return learn.find(name or progress.next_lesson())


def chosen_port(port: int | None) -> int:
    """Return the port to serve on; a free one when none is named.

    Raises:
        PortOutOfRange, PortNotAllowed: nobody, or not this user, can have such a port.
        JupyterPortTaken: the named one is in use.
    """
    if port is None:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            return int(probe.getsockname()[1])
    asked = f"./lab start --port {port}"
    require_usable(port, asked, "./lab start --help", "leave --port out")
    if is_free(port):
        return port
    raise JupyterPortTaken(
        f"port {port} is in use",
        asked=asked,
        found=f"port {port} is held by {holder_of(port)}",
        look_at="./lab ps",
        fix="leave --port out: a free one is chosen",
    )


def serve(notebook: Copy, port: int, *, browser: bool, console: Console) -> int:
    """Run JupyterLab on a learner's notebook until it ends or Ctrl-C; return its exit code."""
    token = secrets.token_hex(16)
    folder = paths.own(paths.state() / "jupyter")
    own = private(folder, port, token)
    write_settings(folder)
    trust(folder, paths.repo())
    log = folder / "jupyter.log"
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    # A supervisor, because JupyterLab and its kernels must not outlive this command.
    supervisor = Supervisor(f"jupyter-{secrets.token_hex(4)}", [])
    try:
        argv, env = command(port, folder, root()), environment(folder, own)
        server = supervisor.start("JupyterLab", argv, env, paths.repo(), log)
        url = f"http://{HOST}:{port}/lab/tree/{address(notebook.file)}?token={token}"
        _wait_ready(server, port)
        console.line(f"JupyterLab is ready, on this machine only; log: {log}")
        print(url, flush=True)
        console.line("Ctrl-C here ends it")
        if browser:
            console.line(_opened(own, url))
        while server.is_alive:
            server.join(0.5)
        return server.exit_code or 0
    except KeyboardInterrupt:
        console.line("ending JupyterLab")
        return 0
    finally:
        supervisor.close()
        shutil.rmtree(own, ignore_errors=True)


def private(folder: Path, port: int, token: str) -> Path:
    """Return the folder with what one server knows alone: its token.

    A command line is seen by every user of the host, and an environment by all that a notebook
    starts. So JupyterLab reads the token from a file.
    """
    own = paths.own(folder / "servers") / str(port)
    shutil.rmtree(own, ignore_errors=True)  # of a server that was killed
    token_only = {"IdentityProvider": {"token": token}}
    paths.write_private(paths.own(own) / "jupyter_server_config.json", json.dumps(token_only))
    return own


def _opened(own: Path, url: str) -> str:
    """Open the browser by a file that leads to the address, as Jupyter itself does."""
    page = paths.write_private(own / "open.html", PAGE.format(url=escape(url)))
    if webbrowser.open(page.as_uri()):
        return "the browser was asked to open it; if no page comes, open the address above"
    return "no browser could be opened: open the address above yourself"


def root() -> Path:
    """Return the folder that JupyterLab shows: the one around ``learn``.

    That is the repository. Where the learner's folder is kept elsewhere, links to what the
    notebooks point at are made beside it.
    """
    around = paths.learn().parent
    if around != paths.repo():
        for name in LINKED:
            if not os.path.lexists(around / name):
                (around / name).symlink_to(paths.repo() / name)
    return around


def address(file: Path) -> str:
    """Return the path of a file below the root, as it is written in an address."""
    return quote(file.relative_to(paths.learn().parent).as_posix())


def environment(folder: Path, own: Path) -> dict[str, str]:
    """Return an environment in which Jupyter writes below ``folder`` only.

    Args:
        own: the folder of :func:`private`; its settings come before those of user and system.
    """
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    earlier = os.environ.get("JUPYTER_CONFIG_PATH", "")
    settings = os.pathsep.join(filter(None, [str(own), earlier]))
    env = {k: v for k, v in os.environ.items() if k not in OF_ANOTHER_SERVER}
    return {
        **env,
        **{name: str(folder / part) for name, part in places.items()},
        "JUPYTER_CONFIG_PATH": settings,
    }


def command(port: int, folder: Path, root: Path) -> list[str]:
    """Return the command line of JupyterLab: it shows ``root``, its own files are in ``folder``."""
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        f"--ServerApp.preferred_dir={root / 'learn'}",
        "--ServerApp.contents_manager_class=labkit.jupyter.contents.Contents",
        # Else every user of the host can read what cells hold and print: kernels send it over
        # loopback, signed but plain (measured with ipykernel 7.4.0).
        "--KernelManager.transport_encryption=auto",
        # A tool of authors; it would put its own file manager around ours.
        *(f"--ServerApp.jpserver_extensions={name}=False" for name in JUPYTEXT),
        # Logs are below .lab, and messages name them.
        "--ContentsManager.allow_hidden=True",
        "--ContentsManager.checkpoints_class=labkit.jupyter.contents.Checkpoints",
        f"--Checkpoints.root_dir={folder / 'checkpoints'}",
        "--LabApp.custom_css=True",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True",
    ]


def write_settings(folder: Path) -> None:
    """Write our settings where the user has none of their own."""
    for name, values in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values), "utf-8")
    page = folder / "config" / "labconfig" / "page_config.json"
    if not page.exists():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(json.dumps(WITHOUT), "utf-8")
    css = folder / "config" / "custom" / "custom.css"
    css.parent.mkdir(parents=True, exist_ok=True)
    css.write_text(PRINTED_CSS, "utf-8")


def trust(folder: Path, root: Path) -> None:
    """Sign the notebooks of the course, so that their outputs are shown as they are.

    JupyterLab hides pictures in notebooks that it did not run itself. Whoever runs ``./lab``
    trusts what is in this repository already. A learner's copy is signed as it was given out;
    from then on JupyterLab signs what was run in it.
    """
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    notary = NotebookNotary(data_dir=str(data))
    built = [file for room in ("lessons", "solutions") for file in root.glob(f"{room}/*.ipynb")]
    for file in sorted([*built, *learn.untouched()]):
        with suppress(OSError, ValueError):  # a damaged file stays untrusted
            notary.sign(nbformat.read(file, as_version=4))
    notary.store.close()


def _wait_ready(server: Process, port: int) -> None:
    def answers() -> bool:
        try:
            return http.get(f"http://{HOST}:{port}/api").is_success
        except httpx.HTTPError:
            return False

    with plainhttp.client() as http:
        poll(lambda: answers() or not server.is_alive, READY_SECONDS, every=0.1)
        is_ready = answers()
    if not is_ready:
        again = "close programs that keep this machine busy, then repeat: ./lab start"
        wrong = "fix what the last lines name; then ./lab clean --all, ./lab start"
        raise JupyterEnded(
            "JupyterLab did not start",
            asked=f"JupyterLab on {HOST}:{port} within {READY_SECONDS:g} s",
            found=f"{server.ending()}; last lines of its log:\n{server.tail(6)}",
            look_at=str(server.log),
            fix=again if server.is_alive else wrong,
        )


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
