"""Which ways between sidecars are asked about, and when a sidecar is lost."""

from __future__ import annotations

from types import SimpleNamespace as Fake

import pytest

from labkit.apps.causes import Cause
from labkit.apps.sidecar import SidecarSilent
from labkit.infrastructure.controlplane import ControlPlane
from labkit.labs import readiness
from labkit.processes import lives

SILENT = SidecarSilent("silent", asked="a", found="b", look_at="c", fix="d")


class App:
    """An app as far as ways are concerned."""

    def __init__(
        self, name, space="default", worker=True, alive=True, started_at=10.0, folder=None
    ):
        self.name, self.internal_address = name, f"host:{name}"
        self.app_id = app_id = name.partition("#")[0]
        self.grpc_address = f"public:{name}"
        self.namespace = space
        kind = f"dapr.internal.{space}.{app_id}"
        types = [{"type": f"{kind}.workflow"}, {"type": f"{kind}.retentioner"}]
        self.said = {"actorRuntime": {"activeActors": types if worker else []}}
        self.log, self.workers, self.cause = "", 1, None
        self.sidecar = Fake(is_alive=alive, started_at=started_at, output=lambda: self.log)
        self.sidecar.certified = None
        self.started, self.shared = [], Fake(folder=folder, token="secret")

    def process(self, part):
        return self.sidecar if part == "sidecar" else Fake(is_alive=True)

    def uncertified(self):
        return self.cause

    def connected_workers(self):
        return self.workers

    def alive(self):
        return []

    def start(self, part):
        self.started.append(part)

    def metadata(self):
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def _ways(*apps):
    offers = readiness._offers_of(apps)
    return {(r.source, r.target) for r in readiness.routes(apps, offers)}


def test_every_sidecar_is_asked_about_every_app_and_itself():
    assert _ways(App("a"), App("b")) == {(x, y) for x in "ab" for y in "ab"}


def test_replicas_offer_the_same_and_are_asked_about_it_once_each():
    ways = _ways(App("a"), App("b#1"), App("b#2"))
    assert ways == {(x, y) for x in ("a", "b#1", "b#2") for y in ("a", "b#1")}


def test_with_mtls_the_public_api_is_asked_with_the_token_of_the_lab():
    plain, certified = App("a"), App("b")
    certified.sidecar.certified = object()
    found = readiness.routes([plain, certified], readiness._offers_of([plain, certified]))
    doors = {(r.source, r.address, r.token) for r in found}
    assert doors == {("a", "host:a", ""), ("b", "public:b", "secret")}


def uncertified(cause):
    app = App("a")
    app.cause = cause
    return app


def test_an_app_without_a_certificate_offers_nothing_to_others():
    assert _ways(App("b"), uncertified(Cause("it has none", "x", "y"))) == {("b", "b")}


def test_an_app_that_will_get_no_certificate_is_not_waited_for(clock):
    cause = Cause("it has none", "dapr.yaml", "name a Configuration")
    late = readiness.CERTIFICATE_SECONDS
    readiness._require_certificates([uncertified(None)], late + 0.1)
    readiness._require_certificates([uncertified(cause)], late - 0.1)
    with pytest.raises(readiness.NoCertificate) as caught:
        readiness._require_certificates([uncertified(cause)], late + 0.1)
    assert caught.value.found == "it has none"
    assert caught.value.fix == "name a Configuration"


@pytest.mark.parametrize(
    ("other", "expected"),
    {
        "of another namespace": (App("b", space="pay"), {("a", "a"), ("b", "b")}),
        "without a worker": (App("b", worker=False), {("a", "a"), ("b", "a")}),
        "without a worker, and of another namespace": (
            App("b", space="pay", worker=False),
            {("a", "a")},
        ),
        "that has ended": (App("b", alive=False), {("a", "a")}),
    }.values(),
    ids=["of another namespace", "without a worker", "without both", "that has ended"],
)
def test_an_app_is_asked_about_as_far_as_it_can_answer(other, expected):
    assert _ways(App("a"), other) == expected


def test_the_ways_of_an_app_that_is_silent_are_not_known():
    app = App("a")
    app.said = SILENT
    ways = readiness.Routes(Fake(processes={}), [app])
    assert ways.closed([app]) is None, "not known is not open"


@pytest.fixture
def clock(monkeypatch):
    now = Fake(at=100.0)
    monkeypatch.setattr(readiness.time, "monotonic", lambda: now.at)
    monkeypatch.setattr(readiness, "patience", lambda: 1.0)
    monkeypatch.setattr(readiness, "closed", lambda ways, within: list(ways))
    return now


@pytest.mark.parametrize(
    ("placement_started", "limit"),
    [(20.0, readiness.BLOCKED_SECONDS), (5.0, readiness.SHUT_SECONDS)],
    ids=["it has lost a placement", "it has always had this one"],
)
def test_a_sidecar_that_stays_closed_is_started_again_once(
    clock, placement_started, limit, tmp_path
):
    app = App("a", folder=tmp_path)
    control = Fake(processes={"placement": Fake(started_at=placement_started)})
    ways = readiness.Routes(control, [app])
    ways.closed([app])
    clock.at += limit - 0.1
    assert ways.start_again() == []
    clock.at += 0.2
    assert ways.start_again() == [app]
    assert ways.start_again() == []
    assert app.started == ["sidecar"]
    assert lives.started_by_the_lab(tmp_path) == ["a sidecar"], "no learner has done it"


def test_a_sidecar_that_answers_in_between_is_not_lost(clock, monkeypatch):
    app = App("a")
    ways = readiness.Routes(Fake(processes={"placement": Fake(started_at=20.0)}), [app])
    ways.closed([app])
    monkeypatch.setattr(readiness, "closed", lambda ways, within: [])
    ways.closed([app])
    clock.at += 60
    assert ways.start_again() == []


def test_of_apps_that_were_not_asked_for_only_those_that_lost_placement_are_asked(clock):
    asked, older, younger = App("a"), App("b", started_at=1.0), App("c", started_at=30.0)
    control = Fake(processes={"placement": Fake(started_at=20.0)})
    found = readiness.Routes(control, [asked, older, younger]).closed([asked])
    assert {r.source for r in found} == {"a", "b"}
    assert {r.target for r in found} == {"a", "b", "c"}


OPENED, CLOSED = f"info {readiness.STREAM_OPENED}\n", f"info {readiness.STREAM_CLOSED}\n"


@pytest.mark.parametrize(
    ("log", "workers", "deaf"),
    [
        (OPENED + CLOSED + OPENED, 0, True),
        (OPENED + CLOSED + OPENED, 1, False),
        (OPENED + CLOSED + OPENED, None, False),
        (OPENED + CLOSED, 0, False),
        ("", 0, False),
    ],
    ids=["came, and is not there", "is there", "no answer", "has gone", "never came"],
)
def test_a_sidecar_is_deaf_when_its_log_has_a_worker_and_its_metadata_has_none(log, workers, deaf):
    app = App("a")
    app.log, app.workers = log, workers
    assert readiness.is_deaf(app) is deaf


def test_a_deaf_sidecar_is_started_again_and_one_that_hears_in_between_is_not(clock, tmp_path):
    app = App("a", folder=tmp_path)
    app.log, app.workers = OPENED, 0
    ways = readiness.Routes(Fake(processes={}), [app])
    ways.listen([app])
    clock.at += readiness.SHUT_SECONDS - 0.1
    ways.listen([])
    clock.at += 0.2
    ways.listen([app])
    assert ways.start_again() == []
    clock.at += readiness.SHUT_SECONDS
    assert ways.start_again() == [app]
    assert app.started == ["sidecar"]


@pytest.mark.parametrize(
    ("log_start", "late", "lags"),
    [(0, 0.5, True), (0, readiness.SCHEDULER_SECONDS, False), (800, 0.5, False)],
    ids=["it is the first", "it stays silent", "it follows on another"],
)
def test_the_first_scheduler_of_a_lab_is_waited_for(clock, monkeypatch, log_start, late, lags):
    monkeypatch.setattr(readiness, "_offers", lambda app: (1, True))
    assert readiness._scheduler_lags(_control(log_start), [App("a")], late) is lags


@pytest.mark.parametrize("log_start", [0, 800])
def test_only_a_scheduler_that_follows_on_another_is_said_to_wait_for_a_lease(log_start):
    found = _control(log_start).silence().found
    assert ("keeps its leadership" in found) == (log_start > 0)
    assert "until then nothing new starts" in found


def _control(log_start):
    """A control plane whose scheduler runs and counts no sidecar."""
    control = ControlPlane.__new__(ControlPlane)
    life = Fake(is_alive=True, log_start=log_start, started_at=0.0, log="scheduler.log", output=str)
    control.processes, control._port = {"scheduler": life}, {"scheduler_metrics": 1}
    control._http = Fake(get=lambda _: Fake(text="dapr_scheduler_sidecars_connected 0\n"))
    return control
