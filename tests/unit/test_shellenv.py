"""Environments without another Dapr, and as files for a shell."""

from __future__ import annotations

import os
import stat
import subprocess

from labkit.host import shellenv

FOREIGN = (
    *("DAPR_GRPC_ENDPOINT", "DAPR_HTTP_ENDPOINT", "DAPR_API_TOKEN", "DAPR_HTTP_PORT"),
    *("DAPR_GRPC_PORT", "DAPR_RUNTIME_HOST", "DAPR_TRUST_ANCHORS", "APP_API_TOKEN", "APP_ID"),
    *("APP_PORT", "NAMESPACE", "HTTP_APP_PORT", "OTEL_EXPORTER_OTLP_ENDPOINT", "SMTP_HOST"),
    *("REDIS_HOST", "REDIS_PASSWORD", "LEDGER"),
)
OWN = ("PATH", "HOME", "APP_ENV", "SMTP_SENDER", "LABKIT_DAPR_BIN", "MY_DAPR_PORT", "DAPR")


def test_only_what_points_to_another_dapr_is_left_out():
    assert set(shellenv.without_another_dapr(dict.fromkeys([*FOREIGN, *OWN], "x"))) == set(OWN)


def test_a_shell_that_reads_the_file_has_this_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_USER", "stays")
    file = tmp_path / "env" / "a.sh"
    odd = {"QUOTED": 'it\'s "$HOME"\nand `more`', "EMPTY": "", "NOT-A-NAME": "x", "NAMESPACE": "n"}
    for _ in range(2):  # written new each time
        shellenv.write(file, {**os.environ, **odd})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "stays" not in file.read_text()
    (line,) = ["\n".join(shellenv.lines(tmp_path, file, "env -0"))]
    env = {"PATH": os.environ["PATH"], "DAPR_X": "a=b", "APP_PORT": "1"}
    done = subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, check=True)
    found = dict(v.split("=", 1) for v in done.stdout.split("\0") if v)
    assert {k: found.get(k) for k in odd} == {**odd, "NOT-A-NAME": None}
    assert not {"DAPR_X", "APP_PORT"} & found.keys()


def test_a_shell_without_another_dapr_reads_it_too(tmp_path):
    file = tmp_path / "a.sh"
    shellenv.write(file, {"A": "b"})
    done = subprocess.run(["sh", "-euc", f'. {file}; echo "$A"'], env={"PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "b\n"
