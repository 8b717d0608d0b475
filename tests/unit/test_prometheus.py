"""Prometheus is found or named with the command that gets it; rules are refused with their line."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from labkit import prometheus
from labkit.prometheus import NoPrometheus, WrongRules, check_rules, files, getting, programs, rules
from tests.support.views import have_prometheus

GOOD = """\
groups:
- name: workflows
  rules:
  - alert: Stuck
    expr: increase(dapr_runtime_workflow_execution_count{status="recoverable"}[5m]) > 0
    for: 1m
"""


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without Prometheus."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("labkit.paths.caches", lambda: [tmp_path / "cache"])
    return tmp_path


def put(folder, name="prometheus"):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_a_missing_program_is_named_with_the_command_that_gets_it(nowhere):
    with pytest.raises(NoPrometheus) as caught:
        prometheus.program("promtool")
    assert "./lab prometheus" in caught.value.fix
    assert "promtool" in caught.value.title


def test_a_program_on_path_comes_before_the_one_that_was_unpacked(nowhere):
    unpacked = put(nowhere / "cache" / "prometheus" / "usr" / "bin")
    assert prometheus.program("prometheus") == unpacked
    on_path = put(nowhere / "bin")
    assert prometheus.program("prometheus") == on_path


def test_without_apt_the_command_says_what_else_there_is(nowhere):
    with pytest.raises(NoPrometheus, match="could not be obtained") as caught:
        getting.main([])
    assert "brew install prometheus" in caught.value.fix


def test_the_package_is_unpacked_into_the_cache(nowhere, monkeypatch, capsys):
    for name in ("apt-get", "dpkg-deb"):
        put(nowhere / "bin", name)

    def run(argv, cwd, **_):
        if argv[0] == "apt-get":
            (cwd / "prometheus_2.42_amd64.deb").write_text("")
        else:
            for name in ("prometheus", "promtool"):
                put(cwd / "unpacked" / "usr" / "bin", name)
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert getting.main([]) == 0
    assert capsys.readouterr().out.count(str(programs.folder())) == 2
    assert [p.name for p in (nowhere / "cache").iterdir()] == ["prometheus"], "nothing else is left"


def test_a_download_that_fails_is_reported_in_the_words_of_apt(nowhere, monkeypatch):
    for name in ("apt-get", "dpkg-deb"):
        put(nowhere / "bin", name)
    failed = subprocess.CompletedProcess([], 100, "", "E: Unable to locate package prometheus\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(NoPrometheus) as caught:
        getting.get()
    assert "Unable to locate package" in caught.value.found


def test_it_listens_on_loopback_and_asks_each_program_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "program", lambda name: tmp_path / name)
    files.note_targets(tmp_path, {"audit-service": 21001, "scheduler": 21002})
    command = files.command(21000, tmp_path, None)
    assert "--web.listen-address=127.0.0.1:21000" in command
    told = yaml.safe_load((tmp_path / "prometheus.yml").read_text())
    assert told["scrape_configs"][0]["file_sd_configs"] == [
        {"files": [str(tmp_path / "targets.json")]}
    ]
    assert json.loads((tmp_path / "targets.json").read_text())[0] == {
        "targets": ["127.0.0.1:21001"],
        "labels": {"instance": "audit-service"},
    }


def test_rules_stay_when_no_others_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "program", lambda name: tmp_path / name)
    mine = tmp_path / "mine.yml"
    mine.write_text(GOOD)
    files.command(21000, tmp_path, mine)
    files.command(21000, tmp_path, None)
    assert (tmp_path / "rules.yml").read_text() == GOOD


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ('a.yml: 5:11: group "x", rule 1: could not parse expression', 5),
        ("a.yml: yaml: line 7: mapping values are not allowed", 7),
        ("a.yml: 0:0: groupname should not be empty", 0),
        ("open a.yml: no such file", 0),
    ],
)
def test_the_line_of_a_complaint_is_read(said, line):
    assert rules.line_of(said, "groups:\n") == line


@have_prometheus
def test_good_rules_are_taken(tmp_path):
    file = tmp_path / "alerts.yml"
    file.write_text(GOOD)
    check_rules(file)


@have_prometheus
@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD.replace("> 0", "> > 0"), 5, "parse"),
        (GOOD.replace("    for: 1m", "    for: soon"), 6, "duration"),
        (GOOD.replace("    for: 1m", "    fort: 1m"), 6, "fort"),
        ("groups: [", 1, "yaml"),
    ],
)
def test_wrong_rules_are_refused_with_their_line(tmp_path, text, line, words):
    file = tmp_path / "alerts.yml"
    file.write_text(text)
    with pytest.raises(WrongRules, match=rf"alerts.yml, line {line}") as caught:
        check_rules(file)
    assert words in caught.value.found
    assert caught.value.look_at == f"{file}:{line}"


@have_prometheus
def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(WrongRules, match=r"none\.yml: these rules") as caught:
        check_rules(tmp_path / "none.yml")
    assert "No such file" in caught.value.found
