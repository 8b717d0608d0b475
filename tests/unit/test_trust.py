"""Who asks for mTLS, and what a lab makes of it."""

from __future__ import annotations

from types import SimpleNamespace as Fake

import httpx
import pytest

from labkit.apps.causes import of_certificates
from labkit.infrastructure import controlplane, trust
from labkit.infrastructure.controlplane import ControlPlane, SentrySilent
from labkit.infrastructure.trust import Trust, WrongConfiguration
from labkit.runtime import Binaries, SentryMissing, require_sentry

HEAD = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\n"


@pytest.fixture
def config(tmp_path):
    def write(text):
        file = tmp_path / "config.yaml"
        file.write_text(HEAD + text)
        return file

    return write


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("spec:\n  mtls:\n    enabled: true\n", True),
        ("spec: {mtls: {enabled: yes, workloadCertTTL: 1h}}\n", True),
        ("spec:\n  mtls:\n    enabled: false\n", False),
        ("spec: {mtls: {allowedClockSkew: 1m}}\n", False),
        ("spec: {mtls: }\n", False),
        ("spec: {tracing: {samplingRate: '1'}}\n", False),
        ("", False),
    ],
)
def test_a_lab_asks_the_configuration_as_the_dapr_cli_does(config, spec, wanted):
    assert trust.is_wanted(config(spec)) is wanted


def test_only_the_first_document_counts(config):
    assert not trust.is_wanted(config("spec: {}\n---\nspec: {mtls: {enabled: true}}\n"))


def test_without_a_configuration_nobody_asks(tmp_path):
    assert not trust.is_wanted(None)
    assert not trust.is_wanted(tmp_path / "missing.yaml")
    assert not trust.is_wanted(tmp_path)


@pytest.mark.parametrize(
    ("spec", "line", "what", "fix"),
    [
        ("spec:\n  mtls:\n    enabled: maybe\n", 6, "enabled", "enabled: true or"),
        ("spec:\n  mtls:\n    enbled: true\n", 6, "no key 'enbled'", "write enabled"),
        ("spec:\n  mtls: true\n", 5, "spec.mtls is not a map", "key: value"),
        ("spec:\n  mtls: {enabled: [\n", 6, "not valid YAML", "correct that line"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(config, spec, line, what, fix):
    file = config(spec)
    with pytest.raises(WrongConfiguration) as caught:
        trust.is_wanted(file)
    assert caught.value.look_at == f"{file}:{line}"
    assert what in caught.value.found
    assert fix in caught.value.fix


def test_what_a_run_notes_is_enough_to_find_its_certificates(tmp_path):
    own = Trust.of_run(tmp_path, tmp_path / "config.yaml", "127.0.0.1:20000")
    assert Trust.noted(tmp_path, own.facts) == own
    assert Trust.noted(tmp_path, None) is None
    assert own.env() == {}, "there is none yet"
    own.issuer.mkdir(parents=True)
    own.anchors.write_text("PEM")
    assert own.env() == {"DAPR_TRUST_ANCHORS": "PEM"}


def test_the_scheduler_writes_its_key_where_sentry_does_not_watch(tmp_path):
    own = Trust.of_run(tmp_path, tmp_path / "config.yaml", "127.0.0.1:20000")
    flags = own.of_scheduler()
    at = flags[flags.index("--identity-directory-write") + 1]
    assert at.startswith(str(tmp_path))
    assert not at.startswith(str(own.issuer))


def test_programs_without_sentry_are_named_when_it_is_needed(tmp_path):
    used = Binaries(tmp_path, "1", "LABKIT_DAPR_BIN")
    with pytest.raises(SentryMissing) as caught:
        require_sentry(used)
    assert "LABKIT_DAPR_BIN" in caught.value.found
    used.sentry.write_text("#!/bin/sh\n")
    used.sentry.chmod(0o700)
    require_sentry(used)


class Silent:
    """A program that runs and never answers."""

    name, log, is_alive = "sentry", "sentry.log", True

    def ending(self):
        return "running"

    def last_line(self):
        return "still thinking"


def test_a_sentry_that_gives_no_certificates_is_named(tmp_path, monkeypatch):
    own = Trust.of_run(tmp_path, tmp_path / "config.yaml", "127.0.0.1:1")
    started = []

    def start(name, *rest):
        started.append(name)
        return Silent()

    monkeypatch.setattr(controlplane, "SENTRY_SECONDS", 0.0)
    programs = dict.fromkeys(("placement", "scheduler", "sentry"), tmp_path)
    ports = Fake(take=lambda: 1)
    http = httpx.Client(trust_env=False)
    control = ControlPlane(Fake(start=start), ports, programs, tmp_path, {}, http, own)
    with pytest.raises(SentrySilent) as caught:
        control.start()
    assert "still thinking" in caught.value.found
    assert started == ["sentry"], "without certificates nobody else can start"


WAITS = 'time="x" level=info msg="Fetching initial identity"\n'
REFUSED = 'level=error msg="… error reading server preface: EOF"\n'
GONE_ON = 'level=info msg="Security is initialized successfully"\n'


@pytest.mark.parametrize(
    ("log", "given", "words"),
    [
        (WAITS, "other", "not the one that sentry signs with"),
        (WAITS, "own", ""),
        (WAITS + GONE_ON, "other", ""),
        (REFUSED, "other", ""),
        (REFUSED, None, "it has no certificate"),
        ("", None, ""),
        ("", "other", ""),
    ],
)
def test_why_a_sidecar_never_gets_ready_with_mtls(tmp_path, log, given, words):
    own = Trust.of_run(tmp_path, tmp_path / "config.yaml", "127.0.0.1:20000")
    own.issuer.mkdir(parents=True)
    own.anchors.write_text("own")
    cause = of_certificates(log, {"DAPR_TRUST_ANCHORS": given} if given else {}, own)
    assert (words in cause.found) if words else cause is None
