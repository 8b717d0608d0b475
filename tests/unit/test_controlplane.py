"""What ends by a time limit of its own is started again; any other end is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit.errors import StartError
from labkit.infrastructure import controlplane
from labkit.infrastructure.controlplane import MOST_STARTS, ControlPlane

RELOADED = "error running Sentry: failed to serve: grpc: the server has been stopped"
LATE = (
    "Fatal error running scheduler: failed to get initial leadership: etcdserver: request timed out"
)


class Started:
    """A process whose end is known from the start."""

    log = Path("sentry.log")

    def __init__(self, said: str) -> None:
        self.said, self.is_alive = said, not said

    def last_line(self) -> str:
        return self.said

    def require_alive(self, asked: str, fix: str) -> None:
        if not self.is_alive:
            raise StartError("ended", asked=asked, found=self.said, look_at="", fix=fix)


class Supervisor:
    def __init__(self, *ends: str, name: str = "sentry") -> None:
        self.ends, self.started, self.name = list(ends), [], name

    def start(self, name, argv, env, folder, log):
        self.started.append(name)
        return Started(self.ends.pop(0) if name == self.name and self.ends else "")


@pytest.fixture
def trust(tmp_path):
    anchors = tmp_path / "ca.crt"
    anchors.touch()
    return SimpleNamespace(
        port=1,
        issuer=tmp_path / "sentry",
        anchors=anchors,
        config="mtls.yaml",
        sentry=lambda program, port: [str(program)],
        of_placement=list,
        of_scheduler=list,
    )


def plane(supervisor, tmp_path, trust, monkeypatch):
    programs = {name: Path(name) for name in ("placement", "scheduler", "sentry")}
    ports = SimpleNamespace(take=lambda: 1)
    made = ControlPlane(supervisor, ports, programs, tmp_path, {}, http=None, trust=trust)
    monkeypatch.setattr(made, "_healthy", lambda port: made.processes["sentry"].is_alive)
    return made


def test_a_sentry_that_reloads_while_it_starts_is_started_again(tmp_path, trust, monkeypatch):
    supervisor = Supervisor(RELOADED, RELOADED)
    plane(supervisor, tmp_path, trust, monkeypatch).start()
    assert supervisor.started == ["sentry"] * 3 + ["placement", "scheduler"]


def test_it_is_not_started_for_ever(tmp_path, trust, monkeypatch):
    supervisor = Supervisor(*[RELOADED] * 10)
    with pytest.raises(StartError, match="ended"):
        plane(supervisor, tmp_path, trust, monkeypatch).start()
    assert supervisor.started == ["sentry"] * MOST_STARTS


def test_any_other_end_is_said_at_once(tmp_path, trust, monkeypatch):
    supervisor = Supervisor("workloadCertTTL: time: invalid duration")
    with pytest.raises(StartError, match="invalid duration"):
        plane(supervisor, tmp_path, trust, monkeypatch).start()
    assert supervisor.started == ["sentry"]
    assert controlplane.RELOADED in RELOADED


@pytest.mark.parametrize(
    ("said", "slow", "starts"),
    [
        (LATE, "this machine is slow now", MOST_STARTS),
        (LATE, "", 1),
        ("listen tcp: address already in use", "this machine is slow now", 1),
    ],
)
def test_a_scheduler_that_ran_out_of_time_on_a_slow_machine_is_started_again(
    tmp_path, monkeypatch, said, slow, starts
):
    monkeypatch.setattr(controlplane, "busy", lambda: slow)
    supervisor = Supervisor(*[said] * 10, name="scheduler")
    made = plane(supervisor, tmp_path, None, monkeypatch)
    made.start()
    while made.starts_again():
        pass
    assert supervisor.started.count("scheduler") == starts
    assert supervisor.started.count("placement") == 1
