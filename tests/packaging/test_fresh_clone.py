"""The two commands on a machine that has nothing of ours."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterable

import httpx
import pytest

from labkit.waiting import poll

OFFLINE = {
    **dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), "http://127.0.0.1:1/simple"),
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), ""),
    "PIP_NO_INDEX": "0",
    "PIP_FIND_LINKS": "",
    "PIP_RETRIES": "0",
    "UV_HTTP_RETRIES": "0",
    "UV_FIND_LINKS": "",
    "LABKIT_RELEASES_URL": "http://127.0.0.1:1",
    "GOPROXY": "off",
}


@pytest.mark.timeout(900)
def test_set_up_demo_and_start_and_the_second_time_needs_no_network(clone):
    code, _, err = clone.run("setup")
    assert code == 0, err
    assert "services/ml-inference-service/.venv is ready" in err
    code, out, err = clone.run("demo", **OFFLINE)
    assert code == 0, err
    assert "COMPLETED" in out
    assert "installing" not in err

    clone.git("init", "--quiet")
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message", "as it was cloned")
    process = clone.start("start", "--no-browser", **OFFLINE)
    url = process.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/lab/tree/learn/00-.*token=\w{32}", url)
    assert httpx.get(url, trust_env=False).status_code == 200
    assert httpx.get(url.split("?")[0], trust_env=False).status_code in (302, 403)
    _work(clone, url)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    port = int(re.search(r":(\d+)/", url)[1])
    assert poll(lambda: not _answers(port), 5, grows=True)[1], "JupyterLab ended with the command"
    for name in ("00", "01.1", "01.1"):
        code, out, err = clone.run("reset", name)
        assert code == 0, err
    assert "learn/files/move-the-mail.kept-1" in out
    assert (clone.folder / "learn" / "00-start-here.kept-1.ipynb").exists()
    assert clone.git("status", "--porcelain") == "", "working through the course changes nothing"


def _work(clone, url: str) -> None:
    """Save a notebook that was run, as JupyterLab does, and try to save a built one."""
    base, token = url.split("/lab/")[0], url.rpartition("token=")[2]
    with httpx.Client(base_url=f"{base}/api/contents/", trust_env=False) as contents:
        contents.headers["Authorization"] = f"token {token}"
        assert contents.get(".lab").status_code == 200, "messages name logs, which can be opened"
        shown = [entry["name"] for entry in contents.get("learn").json()["content"]]
        assert {"files", "00-start-here.ipynb", "01.1-move-the-mail.ipynb"} <= set(shown)
        opened = contents.get("learn/00-start-here.ipynb").json()
        opened["content"]["cells"][2]["execution_count"] = 1
        assert contents.put("learn/00-start-here.ipynb", json=opened).status_code == 200
        refused = contents.put("lessons/00-start-here.ipynb", json=opened)
        assert refused.status_code == 403
        assert "work on your copy in learn/" in refused.text
    assert not list((clone.folder / "learn").rglob(".ipynb_checkpoints"))


MOMENTS = [
    "making the Python environment .venv",
    "getting the installer",
    "requirements/course.lock",
    "making the Python environment services",
    "requirements/ml-inference-service.lock",
]


@pytest.mark.timeout(900)
def test_killed_or_interrupted_at_each_moment_and_then_two_at_once(clone):
    killed = clone.start("setup")
    assert "getting the installer" in _said_until("getting the installer", killed.stderr)
    killed.kill()  # the installer lives on; the next set-up has to wait until it ends
    for moment in MOMENTS:
        process = clone.start("setup")
        said = _said_until(moment, process.stderr)
        assert moment in said, f"it did not come to {moment!r}: {said}"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, f"at {moment!r}: {err}"
        assert "Run the same command again" in err
        assert "Traceback" not in err
    both = [clone.start("setup") for _ in range(2)]
    ends = [p.communicate(timeout=300) for p in both]
    assert [p.returncode for p in both] == [0, 0], ends
    assert sum("requirements/ml-inference-service.lock" in err for _, err in ends) == 1
    assert any("waiting for it" in err for _, err in ends)


@pytest.mark.timeout(120)
def test_no_network_is_one_clear_message(clone):
    code, _, err = clone.run("setup", **OFFLINE)
    assert code == 1
    assert "no-network: the packages cannot be downloaded" in err
    assert "HTTPS_PROXY" in err
    assert "Traceback" not in err


@pytest.mark.timeout(120)
def test_a_package_with_another_hash_is_refused(clone):
    lock = clone.folder / "requirements" / "bootstrap.lock"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, lock.read_text()))
    code, _, err = clone.run("setup")
    assert code == 1
    assert "wrong-checksum" in err


@pytest.mark.timeout(900)
def test_a_read_only_home_works(clone, tmp_path):
    home = tmp_path / "file-as-home"
    home.write_text("")  # root may write into read-only folders; nobody into a file
    code, out, err = clone.run("runtime", HOME=str(home))
    assert code == 0, err
    assert "1.18.1" in out
    assert (clone.folder / ".venv").is_dir()


def test_a_python_that_is_too_old_says_which_is_needed(clone):
    script = (
        "import sys, runpy; sys.version_info = (3, 8, 0); sys.argv = ['lab', 'demo'];"
        f"runpy.run_path({str(clone.folder / 'lab')!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**clone.env, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("python-too-old: this Python is too old")
    assert "Traceback" not in done.stderr


def test_the_bootstrap_is_readable_by_old_pythons(clone):
    source = (clone.folder / "lab").read_text()
    assert not re.search(r"\bf[\"']", source), "an f-string is a syntax error for an old Python"
    assert "->" not in source


def _said_until(moment: str, lines: Iterable[str]) -> str:
    """Return what was printed up to the line with ``moment``, or to the end without it."""
    said = ""
    for line in lines:
        said += line
        if moment in line:
            break
    return said


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/api", trust_env=False)
    except httpx.HTTPError:
        return False
    return True
