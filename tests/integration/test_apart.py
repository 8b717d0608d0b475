"""Labs keep to themselves: loopback only, a token each, nothing shared."""

from __future__ import annotations

import httpx
import pytest

from labkit.history import SidecarUnreachable, TokenRefused, events_of
from labkit.labs.workflowrun import InstanceUnknown
from tests.support.system import listening

# Upstream binds these health servers to all interfaces, whatever it is told; docs/loopback.md.
HEALTH_SERVERS = {"placement": "healthz", "scheduler": "healthz"}


def test_all_listens_on_loopback_but_two_health_servers(make_lab):
    lab = make_lab(components="redis")
    lab.up(announce=False)
    seen = listening(lab.folder.name)
    assert {"daprd", "placement", "scheduler"} <= set(seen)
    outside = {
        (name, port) for name, pairs in seen.items() for ip, port in pairs
        if ip not in ("127.0.0.1", "::1")
    }  # fmt: skip
    assert {name for name, _ in outside} <= set(HEALTH_SERVERS)
    assert len(outside) <= len(HEALTH_SERVERS), "one health server each"


def test_a_request_without_the_token_is_refused(make_lab, small):
    lab = make_lab(small)
    lab.up("target", announce=False)
    app = lab.app("target")
    url = f"http://127.0.0.1:{app.ports.http}/v1.0/metadata"
    assert httpx.get(url, trust_env=False).status_code == 401
    assert httpx.get(url, trust_env=False, headers={"dapr-api-token": "no"}).status_code == 401
    with pytest.raises(TokenRefused):
        events_of(app.grpc_address, "no", "target", "x")
    with pytest.raises(SidecarUnreachable):
        events_of("127.0.0.1:1", app.shared.token, "target", "x")


def test_two_labs_side_by_side_do_not_see_each_other(make_lab, small):
    one, two = make_lab(small), make_lab(small)
    one.up(announce=False)
    two.up(announce=False)
    one.client("caller").schedule_new_workflow("call", input={}, instance_id="mine")
    assert one.run("mine").wait().output["pid"] == one.app("target").process("worker").pid
    with pytest.raises(InstanceUnknown):
        two.run("mine")
    ports = [{a.ports.http for a in lab.started_apps()} for lab in (one, two)]
    assert ports[0].isdisjoint(ports[1])
    one.down()
    two.client("caller").schedule_new_workflow("call", input={}, instance_id="still")
    assert two.run("still").wait().status == "COMPLETED"
