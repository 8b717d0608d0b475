"""An order in the middle of its mail when the pod of notification-service is ended: one mail."""

import time
from dataclasses import replace

from labkit.exercises.cases import NOTIFICATIONS, Case
from labkit.exercises.observations import (
    Check,
    as_before,
    besides,
    came_true,
    ended,
    mailed,
    mails_of,
    missed,
    ordered,
)
from labkit.waiting import patience

WORKFLOW = "resilient_task_processing"
OTHERS = ()
READY_SECONDS, MAIL_SECONDS, SLOW_SECONDS, MOST = 30.0, 20.0, 3.0, 4.0


def steps(lab):
    case = Case(lab, "order", WORKFLOW)
    yield ordered(case)
    yield scaled_down(case)
    yield ended(case)
    yield mailed(case)
    yield from as_before(case)


def counter(trial):
    slow = SLOW_SECONDS * min(patience(), MOST)
    lab = trial.lab(own={NOTIFICATIONS: {"SLOW_SECONDS": str(slow)}})
    case = trial.order()
    has_left = came_true(lambda: arrived(case), MAIL_SECONDS * patience())
    too_fast = came_true(lambda: any(s.ended for s in case.steps("send_email")), slow / 6)
    if has_left and not too_fast and time.time() - arrived(case)[0].received_at > slow / 2:
        raise missed("the pod is ended while a mail is on its way", "the machine was too busy")
    pod = lab.app(NOTIFICATIONS)
    # The mail takes longer on a busy machine; so may the pod, as the manifest has it.
    grace = pod.spec.grace_seconds * slow / SLOW_SECONDS
    pod.spec = replace(pod.spec, grace_seconds=grace)
    endings = lab.delete_pod(NOTIFICATIONS, announce=False)
    cut_off = any(one.part == "worker" and one.was_killed for one in endings)
    lab.up(NOTIFICATIONS, within=READY_SECONDS, announce=False)
    yield ended(case, within=slow + 3)
    yield besides(mailed(case), lambda: instead(cut_off, too_fast))
    yield from as_before(case)


def instead(cut_off, too_fast):
    """Say what happened in place of a pod that ends when its mail is done."""
    if too_fast:
        return "the step of this mail ended at once, and its provider is slow"
    return "the service was killed within this mail" if cut_off else ""


def arrived(case):
    return mails_of(case, case.order["assignee_email"])


def scaled_down(case):
    """The worker ended after the order had begun, and was started again; else nobody can judge."""

    def observe():
        began = case.history.events[0].time.timestamp()
        past = [life for part, life in case.lab.app(NOTIFICATIONS).past if part == "worker"]
        ends = [life for life in past if (life.ended_at or 0) > began]
        return "it was ended" if ends else "it was never ended"

    return Check(
        "scaled",
        f"the pod of {NOTIFICATIONS} was ended after the order had begun",
        "it was ended",
        observe,
        "the scenario cell as the exercise gives it, then run it again",
        otherwise="unknown",
    )
