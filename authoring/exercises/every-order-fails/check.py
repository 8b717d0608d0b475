"""The order reaches the mail activity of notification-service; no step fails on the way."""

from labkit.exercises.cases import NOTIFICATIONS
from labkit.exercises.observations import Check, besides, ended, mailed, mails_of, rows_of

CHANGED = ("send_email",)  # a repair may keep the new name, too


def wished(case):
    yield ended(case)
    yield besides(mailed(case), lambda: not_noted(case))
    yield Check(
        "failed",
        "no step of the workflow fails",
        [],
        lambda: [f"{s.name} in {s.app_id}" for s in case.steps() if s.outcome == "failed"],
        f"lab.run({case.instance_id!r}).history.steps()",
    )


def not_noted(case):
    """The service has noted what it sent, so that it does not send it again at another try."""
    keys = {m.idempotency_key for m in mails_of(case, case.order["assignee_email"])}
    mine = keys & {s.task_execution_id for s in case.steps(app_id=NOTIFICATIONS)}
    noted = {row["key"] for row in rows_of(case.lab, NOTIFICATIONS, "deliveries")}
    return "but not noted as delivered: another try would send it again" if mine - noted else ""
