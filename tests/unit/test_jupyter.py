"""How JupyterLab is started and opened: its token is read by its user only."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path

import pytest

from labkit.jupyter import server as jupyter

URL = "http://127.0.0.1:1234/lab/tree/learn/00-a%20b.ipynb?token=s3cret"


@pytest.fixture
def own(tmp_path) -> Path:
    return jupyter.private(tmp_path / "jupyter", 1234, "s3cret")


def test_the_command_line_holds_no_token(tmp_path):
    words = " ".join(jupyter.command(1234, tmp_path, tmp_path))
    assert "token" not in words.lower()
    assert "--ServerApp.ip=127.0.0.1" in words
    assert "--KernelManager.transport_encryption=auto" in words


def test_the_token_is_in_a_file_that_comes_before_all_other_settings(own, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_TOKEN", "of-another")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/of/another")
    env = jupyter.environment(tmp_path, own)
    assert env["JUPYTER_CONFIG_PATH"].split(os.pathsep) == [str(own), "/of/another"]
    assert "JUPYTER_TOKEN" not in env
    assert not [name for name, value in env.items() if "s3cret" in value]
    (file,) = own.iterdir()
    assert json.loads(file.read_text()) == {"IdentityProvider": {"token": "s3cret"}}
    assert file.stat().st_mode & 0o777 == 0o600
    assert {f.stat().st_mode & 0o777 for f in (own, own.parent)} == {0o700}


def test_two_servers_of_one_learner_keep_their_tokens(own, tmp_path):
    other = jupyter.private(tmp_path / "jupyter", 1235, "another")
    assert "s3cret" in (own / "jupyter_server_config.json").read_text()
    assert "another" in (other / "jupyter_server_config.json").read_text()


def test_what_a_killed_server_left_is_replaced(own, tmp_path):
    (own / "open.html").write_text("old")
    assert jupyter.private(tmp_path / "jupyter", 1234, "new") == own
    assert [f.name for f in own.iterdir()] == ["jupyter_server_config.json"]


@pytest.mark.parametrize("opens", [True, False])
def test_the_browser_gets_a_file_and_the_learner_is_told_what_to_do_without_one(
    own, monkeypatch, opens
):
    given: list[str] = []
    monkeypatch.setattr(jupyter.webbrowser, "open", lambda url: given.append(url) or opens)
    said = jupyter._opened(own, URL)
    assert "open the address above" in said
    assert given == [(own / "open.html").as_uri()]
    assert URL in html.unescape((own / "open.html").read_text())
    assert (own / "open.html").stat().st_mode & 0o777 == 0o600
