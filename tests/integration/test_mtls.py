"""Certificates in a lab: sentry signs, and who has none takes no part."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.labs.attached import Attached
from labkit.labs.readiness import NoCertificate
from labkit.labs.runs import all_runs
from labkit.processes.supervisor import ProcessEnded
from tests.support.scenarios import DATA
from tests.support.system import listening

CONFIGURATION = """\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: certificates
spec:
  mtls:
    enabled: true
"""
IN_COMMON = ("common:\n", "common:\n  configFilePath: mtls.yaml\n")
OF_TARGET = ("  appDirPath: target\n", "  appDirPath: target\n  configFilePath: ../mtls.yaml\n")


@pytest.fixture
def secure(small: Path):
    """Return the small deployment with a change of its run file, and the Configuration in it."""

    def change(*changes: tuple[str, str]) -> Path:
        (small.parent / "mtls.yaml").write_text(CONFIGURATION)
        text = small.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        small.write_text(text)
        return small

    return change


def done(lab, workflow: str, instance: str) -> str:
    lab.client("caller").schedule_new_workflow(workflow, input={}, instance_id=instance)
    return lab.run(instance).wait(usual=60).status


def enabled(lab, app_id: str) -> bool:
    log = lab.app(app_id).logs("sidecar")
    return "Security is initialized successfully" in log and "mTLS is disabled" not in log


def test_with_mtls_calls_arrive_and_the_keys_are_closed(make_lab, secure):
    lab = make_lab(secure(IN_COMMON))
    lab.up(announce=False)
    assert [done(lab, w, w) for w in ("call", "call_child")] == ["COMPLETED"] * 2
    assert enabled(lab, "caller")
    assert enabled(lab, "target")
    assert lab.obstacles() == []
    (run,) = (r for r in all_runs() if r.path == lab.folder)
    assert Attached(lab.run_file.path, run).obstacles() == []
    certificates = lab.folder / "certificates"
    files = [f for f in certificates.rglob("*") if f.is_file()]
    assert {"ca.crt", "issuer.key", "key.pem"} <= {f.name for f in files}
    assert {f.stat().st_mode & 0o077 for f in files} == {0}


def test_with_mtls_only_health_servers_listen_beyond_loopback(make_lab, secure):
    lab = make_lab(secure(IN_COMMON))
    lab.up("target", announce=False)
    seen = listening(lab.folder.name)
    assert len(seen["sentry"]) == 2, "one for certificates, one for its health"
    outside = [n for n, pairs in seen.items() for ip, _ in pairs if ip not in ("127.0.0.1", "::1")]
    assert sorted(outside) == ["placement", "scheduler", "sentry"], "one health server each"


def test_without_the_word_of_a_configuration_there_is_no_sentry(make_lab, small):
    lab = make_lab(small)
    lab.up("target", announce=False)
    assert "sentry" not in [p.name for p in lab.processes()]
    assert not (lab.folder / "certificates").exists()
    assert not enabled(lab, "target")


def test_an_app_without_a_certificate_takes_no_part_and_the_others_do(make_lab, secure):
    lab = make_lab(secure(OF_TARGET))
    with pytest.raises(NoCertificate) as caught:
        lab.up(announce=False)
    assert "caller" in caught.value.title
    assert "does not say spec.mtls.enabled: true" in caught.value.found
    lab.up("target", announce=False)
    known = str(lab.placement_state())
    assert "target" in known
    assert "caller" not in known


def another_root() -> str:
    """Return a root certificate that nobody here signs with, as an entry for the run file."""
    lines = (DATA / "another-root.crt").read_text().splitlines()
    return "".join(f"      {line}\n" for line in lines)


def test_a_wrong_trust_anchor_is_named(make_lab, secure, tmp_path):
    entry = "  env:\n    DAPR_TRUST_ANCHORS: |\n" + another_root()
    wrong = ("  appDirPath: caller\n", "  appDirPath: caller\n" + entry)
    lab = make_lab(secure(IN_COMMON, wrong))
    with pytest.raises(NoCertificate) as caught:
        lab.up("caller", announce=False)
    assert "not the one that sentry signs with" in caught.value.found
    assert "DAPR_TRUST_ANCHORS" in caught.value.fix


def test_who_has_a_certificate_goes_on_without_sentry_and_up_brings_it_back(make_lab, secure):
    lab = make_lab(secure(IN_COMMON))
    lab.up(announce=False)
    before = (lab.folder / "certificates" / "sentry" / "ca.crt").read_text()
    lab.kill("sentry", announce=False)
    assert done(lab, "call", "without") == "COMPLETED"
    assert [t.title for t in lab.troubles()] == ["sentry"]
    lab.restart("target", announce=False)
    assert lab.troubles() == []
    assert (lab.folder / "certificates" / "sentry" / "ca.crt").read_text() == before
    assert done(lab, "call", "again") == "COMPLETED"


def test_sentry_that_ends_is_named_with_the_configuration(make_lab, secure):
    file = secure(IN_COMMON)
    config = file.parent / "mtls.yaml"
    config.write_text(CONFIGURATION + "    workloadCertTTL: soon\n")
    lab = make_lab(file)
    with pytest.raises(ProcessEnded) as caught:
        lab.up(announce=False)
    assert "error parsing WorkloadCertTTL" in caught.value.found
    assert str(config) in caught.value.fix
