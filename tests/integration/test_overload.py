"""Who protects an overloaded provider, and who does not: counted at the provider."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from labkit.waiting import patience, settled, wait_until
from tests.support.overload import write_overload

LONG = 120.0
HELD = {"GIVE_UP_SECONDS": "600"}
THREE = "maxConcurrentActivityInvocations"
BY_NAME = {"activityConcurrencyLimits": [{"name": "send_mail_async", "maxConcurrent": 3}]}
RESILIENCY = """\
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata:
  name: protect
spec:
  policies:
    retries:
      often: {policy: constant, duration: 100ms, maxRetries: 5}
    circuitBreakers:
      soon: {maxRequests: 1, timeout: 60s, trip: consecutiveFailures >= 2}
  targets:
    apps:
      mail-service: {retry: often, circuitBreaker: soon}
"""


@pytest.fixture
def deploy(make_lab, tmp_path):
    """Start the two apps with a limit at one of them."""

    def started(limits=None, at="mail-service", resources=None, **more):
        run_file = write_overload(tmp_path / "overload", limits or {}, at, resources)
        lab = make_lab(run_file, **more)
        lab.up(announce=False)
        return lab

    return started


def send(lab, count, workflow="order", **given):
    """Order so many mails at once; return the instance IDs."""
    client = lab.client("order-desk")
    ids = [f"{workflow}-{number}" for number in range(count)]

    def order(id):
        each = {"to": f"{id}@example.com", **given}
        return client.schedule_new_workflow(workflow, input=each, instance_id=id)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(order, ids))


def ends(lab, ids):
    return [lab.run(id).wait(LONG * patience()).status for id in ids]


def held(lab, at_least=1):
    """Return how many mails are at the provider once no more come."""
    wait_until(lambda: lab.mail_server.waiting() >= at_least, usual=LONG)
    return settled(lab.mail_server.waiting, 2 * min(patience(), 3), LONG * patience())


def pending(lab):
    lines = lab.scheduler_metrics().splitlines()
    found = [n for n in lines if n.startswith("dapr_scheduler_concurrency_pending{")]
    return sum(float(n.split()[-1]) for n in found)


@pytest.mark.parametrize(("activity", "at_once"), [("send_mail", 4), ("send_mail_async", 12)])
def test_a_def_activity_occupies_a_thread_and_an_async_one_none(deploy, activity, at_once):
    lab = deploy(env=HELD)
    lab.mail_server.limit(at_once=0)
    send(lab, 12, activity=activity)
    assert held(lab, at_once) == at_once


@pytest.mark.parametrize(
    ("limit", "at_once", "waits_in_the_scheduler"),
    [({THREE: 3}, 6, 0), ({"globalMaxConcurrentActivityInvocations": 3}, 3, 27), (BY_NAME, 3, 27)],
    ids=["each sidecar", "all replicas", "one name"],
)
def test_a_limit_counts_in_each_sidecar_or_over_all(deploy, limit, at_once, waits_in_the_scheduler):
    lab = deploy(limit, replicas={"mail-service": 2}, env=HELD)
    lab.mail_server.limit(at_once=0)
    ids = send(lab, 30)
    assert held(lab, at_once) == at_once
    assert pending(lab) == waits_in_the_scheduler
    lab.kill("mail-service#1", announce=False)
    lab.mail_server.recover()
    assert set(ends(lab, ids)) == {"COMPLETED"}, "the places of the one that was killed come back"


@pytest.mark.parametrize(
    ("limit", "status"),
    [({"globalMaxConcurrentActivityInvocations": 3}, "RUNNING"), (BY_NAME, "COMPLETED")],
    ids=["all activities", "one name"],
)
def test_quick_work_passes_a_limit_of_another_name(deploy, limit, status):
    lab = deploy(limit, env=HELD)
    lab.mail_server.limit(at_once=0)
    send(lab, 6)
    assert held(lab, 3) == 3
    lab.client("order-desk").schedule_new_workflow("count", input=["a"], instance_id="quick")
    assert lab.run("quick").settle(3) == status


def storm(lab, workflow="order", **given):
    """Order 20 mails from a provider that needs 6 s for them; return ends and mails."""
    lab.mail_server.limit(at_once=3, seconds=0.9)
    found = ends(lab, send(lab, 20, workflow, **given))
    wait_until(lambda: lab.mail_server.waiting() == 0, usual=LONG)
    return found, len(lab.mail_server.tries())


@pytest.mark.parametrize("limited", ["nobody", "order-desk"])
def test_retries_of_calls_that_were_given_up_keep_the_overload_going(deploy, limited):
    limit = {} if limited == "nobody" else {THREE: 3}
    found, mails = storm(deploy(limit, at="order-desk"), attempts=3)
    assert "FAILED" in found
    assert mails > 20


def test_a_limit_at_the_target_keeps_calls_back_and_nothing_fails(deploy):
    found, mails = storm(deploy({THREE: 3}), attempts=3)
    assert set(found) == {"COMPLETED"}
    assert mails == 20


def test_orders_that_are_refused_at_the_door_cost_no_mail(deploy):
    lab = deploy()
    _, mails = storm(lab, "order_if_there_is_room", most=3)
    said = [lab.run(f"order_if_there_is_room-{n}").output for n in range(20)]
    assert 0 < said.count("try again later") < 20
    assert mails == 20 - said.count("try again later")


@pytest.mark.parametrize(
    "resources", [{}, {"resiliency.yaml": RESILIENCY}], ids=["without", "with"]
)
def test_a_resiliency_policy_does_not_touch_activities_of_other_apps(deploy, resources):
    lab = deploy(resources=resources)
    lab.mail_server.refuse()
    assert set(ends(lab, send(lab, 10, attempts=3))) == {"FAILED"}
    assert len(lab.mail_server.refused()) == 30
    assert ("protect" in lab.app("order-desk").logs("sidecar")) == bool(resources)


def test_a_breaker_in_workflow_code_spares_a_provider_that_is_down(deploy):
    lab = deploy()
    lab.mail_server.refuse()
    given = {"recipients": [f"{n}@example.com" for n in range(10)], "rest": 1}
    lab.client("order-desk").schedule_new_workflow("order_all", input=given, instance_id="all")
    wait_until(lambda: len(lab.mail_server.refused()) >= 5, usual=LONG)
    lab.mail_server.recover()
    assert lab.run("all").wait(LONG * patience()).output == 10
    assert set(lab.mail_server.refused()) == {"0@example.com"}, "it tried with one mail only"
    assert len(lab.inbox) == 10


def test_pauses_with_jitter_are_the_same_in_a_replay(deploy):
    lab = deploy()
    lab.mail_server.refuse()
    pauses = {"attempts": 3, "first": 0.2, "factor": 2.0, "longest": 1.0}
    assert set(ends(lab, send(lab, 3, "order_with_jitter", **pauses))) == {"FAILED"}
    failures = {lab.run(f"order_with_jitter-{n}").failure.message for n in range(3)}
    assert all("ProviderFailed" in f or "no mail to" in f for f in failures), failures
