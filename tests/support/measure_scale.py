"""Measures what docs/facts-scale.md says in figures: ``python -m tests.support.measure_scale``.

``pool``: calls at once with ``def`` and ``async def``. ``storm``: 20 orders at once, with each
protection. ``limits``: what reaches the provider from two replicas. ``bulkhead``: quick work beside
slow work. ``breaker``: tries at a provider that refuses, with Resiliency too. ``queue``: what the
metrics say about work that waits, and what a second replica changes.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from labkit import Lab, paths, wait_until
from labkit.labs.workflowrun import Run
from labkit.mail.curves import Curves, Played
from labkit.waiting import patience, settled
from tests.support.overload import write_overload

ORDERS, AT_ONCE, SECONDS = 20, 3, 0.9
STORM = {"attempts": 3, "first": 0.1, "factor": 1.0}
BACKOFF = {"attempts": 10, "first": 1.0, "factor": 2.0, "longest": 4.0}
TARGET = "mail-service"
BY_NAME = [{"name": "send_mail_async", "maxConcurrent": 3}]
HELD = {"GIVE_UP_SECONDS": "600"}
"""While the provider holds every mail, nobody gives up: so what is there at once can be counted."""


def main(asked: list[str]) -> None:
    for name in asked or list(PARTS):
        print(f"--- {name}", flush=True)
        PARTS[name]()


def lab_of(limits: Mapping[str, Any] | None = None, **more: Any) -> Lab:
    folder = Path(tempfile.mkdtemp(prefix="scale-")).resolve()
    run_file = write_overload(folder, limits or {}, more.pop("at", TARGET), more.pop("files", {}))
    lab = Lab(run_file, private=True, **more)
    lab.up(announce=False)
    return lab


def send(lab: Lab, count: int, given: Mapping[str, Any], workflow: str = "order") -> list[str]:
    ids = [f"{workflow}-{n}" for n in range(count)]
    client = lab.client("order-desk")

    def order(id: str) -> None:
        each = {**given, "to": f"{id}@example.com"}
        client.schedule_new_workflow(workflow, input=each, instance_id=id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(order, ids))
    return ids


def held(lab: Lab) -> int:
    """Return how many mails are at the provider, once there are some and no more come."""
    wait_until(lambda: lab.mail_server.waiting() > 0, usual=60)
    return settled(lab.mail_server.waiting, min(2 * patience(), 6), 60 * patience())


def pool() -> None:
    for activity in ("send_mail", "send_mail_async"):
        with lab_of(env=HELD) as lab:
            lab.mail_server.limit(at_once=0)
            send(lab, 12, {"activity": activity})
            at_once = held(lab)
            print(f"{activity}, 4 threads, 12 calls: {at_once} at once", flush=True)


def storm() -> None:
    target = {"maxConcurrentActivityInvocations": AT_ONCE}
    cases: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], str]] = {
        "no protection": ({}, STORM, "order"),
        "backoff": ({}, BACKOFF, "order"),
        "backoff and jitter": ({}, BACKOFF, "order_with_jitter"),
        "limit at the caller": (target, STORM, "order"),
        "limit at the target": (target, STORM, "order"),
        "4 threads": ({}, {**STORM, "activity": "send_mail"}, "order"),
        "load shedding": ({}, {**STORM, "most": 6}, "order_if_there_is_room"),
    }
    played = []
    for name, (limits, given, workflow) in cases.items():
        at = "order-desk" if name.endswith("caller") else TARGET
        with lab_of(limits, at=at) as lab:
            played.append(play(lab, name, given, workflow))
        print(Curves(played[-1:], AT_ONCE).table().splitlines()[1], flush=True)
    picture = Curves(played, AT_ONCE)
    print(picture.table())
    (paths.repo() / "docs" / "overload.svg").write_text(picture.svg() + "\n", "utf-8")


def play(lab: Lab, name: str, given: Mapping[str, Any], workflow: str) -> Played:
    lab.mail_server.limit(AT_ONCE, SECONDS)
    began = time.time()
    ids = send(lab, ORDERS, given, workflow)
    runs = [lab.run(id).wait(usual=120) for id in ids]
    wait_until(lambda: lab.mail_server.waiting() == 0, usual=120)
    statuses = ["refused" if is_refused(r) else r.status for r in runs]
    return Played(name, tuple(lab.mail_server.tries()), tuple(statuses), began)


def is_refused(run: Run) -> bool:
    return run.status == "COMPLETED" and run.output == "try again later"


def limits() -> None:
    cases = {
        "per sidecar": {"maxConcurrentActivityInvocations": 3},
        "global": {"globalMaxConcurrentActivityInvocations": 3},
        "per name": {
            "activityConcurrencyLimits": [{"name": "send_mail_async", "maxConcurrent": 3}]
        },
    }
    for name, limit in cases.items():
        for count in (1, 2):
            with lab_of(limit, replicas={TARGET: count}, env=HELD) as lab:
                lab.mail_server.limit(at_once=0)
                send(lab, 30, {})
                at_once = held(lab)
                print(f"{name} 3, {count} replicas: {at_once} at once; {queue_of(lab)}", flush=True)


def bulkhead() -> None:
    one = {"activityConcurrencyLimits": [{"name": "send_mail_async", "maxConcurrent": 3}]}
    for name, limit in {
        "global": {"globalMaxConcurrentActivityInvocations": 3},
        "name": one,
    }.items():
        with lab_of(limit, env=HELD) as lab:
            lab.mail_server.limit(at_once=0)
            send(lab, 6, {})
            held(lab)
            lab.client("order-desk").schedule_new_workflow("count", input=[1], instance_id="quick")
            print(f"{name}: quick work is {lab.run('quick').settle(3)}", flush=True)


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


def breaker() -> None:
    for name, files in {"without": {}, "with Resiliency": {"resiliency.yaml": RESILIENCY}}.items():
        with lab_of(files=files) as lab:
            lab.mail_server.refuse()
            ids = send(lab, 10, STORM)
            runs = [lab.run(id).wait(usual=60) for id in ids]
            loaded = "loaded" if "protect" in lab.app("order-desk").logs("sidecar") else "not there"
            print(f"{name} ({loaded}): {len(lab.mail_server.refused())} tries,"
                  f" {Counter(r.status for r in runs)}", flush=True)  # fmt: skip


def queue() -> None:
    """Hold 24 mails, start a second replica meanwhile, and let the mails go."""
    for kind in ("maxConcurrentActivityInvocations", "globalMaxConcurrentActivityInvocations"):
        for count in (1, 2):
            with lab_of({kind: 2}, replicas={TARGET: 1}, env=HELD) as lab:
                lab.mail_server.limit(at_once=0)
                ids = send(lab, 24, {})
                print(kind, 2, "held:", held(lab), queue_of(lab), flush=True)
                lab.scale(TARGET, count, announce=False)
                print(f"{count} replicas, held: {held(lab)}", flush=True)
                began = time.time()
                lab.mail_server.limit(100, 0.5)
                for id in ids:
                    lab.run(id).wait(usual=60)
                print(f"ended {time.time() - began:.1f} s; {done_by(lab)}", flush=True)


def queue_of(lab: Lab) -> dict[str, float]:
    """Return what the scheduler's metrics say about its concurrency gates."""
    lines = re.compile(r"^(dapr_scheduler_concurrency\S+) (\S+)$", re.MULTILINE)
    found = lines.findall(lab.scheduler_metrics())
    return {name.removeprefix("dapr_scheduler_"): float(value) for name, value in found}


def done_by(lab: Lab) -> dict[str, int]:
    pattern = r'activity_execution_count\{[^}]*status="success"[^}]*\} (\d+)'
    return {
        a.name: sum(int(n) for n in re.findall(pattern, a.metrics())) for a in lab.replicas(TARGET)
    }


PARTS: dict[str, Callable[[], None]] = {
    "pool": pool,
    "storm": storm,
    "limits": limits,
    "bulkhead": bulkhead,
    "breaker": breaker,
    "queue": queue,
}

if __name__ == "__main__":
    main(sys.argv[1:])
