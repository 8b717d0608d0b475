"""The order reaches the mail activity of notification-service; no step fails on the way."""

from labkit.exercises.observations import Check, ended, mailed

CHANGED = ("send_email",)  # a repair may keep the new name, too


def wished(case):
    yield ended(case)
    yield mailed(case)
    yield Check(
        "failed",
        "no step of the workflow fails",
        [],
        lambda: [f"{s.name} in {s.app_id}" for s in case.steps() if s.outcome == "failed"],
        f"lab.run({case.instance_id!r}).history.steps()",
    )
