"""Steps that observe the lab of this exercise."""

from labkit.exercises.checking import Step


def steps(lab):
    yield Step(
        "ended",
        "the order is completed",
        "COMPLETED",
        lambda: lab.run("order").settle(3),
        "lab.run('order'), and the log of notification-service",
    )
    yield Step(
        "mails",
        "one mail arrived although the activity ran twice",
        1,
        # Not those of the second order, which an earlier check has sent.
        lambda: sum("Another one" not in m.subject for m in lab.inbox.to("alice@example.com")),
        "lab.inbox, and lab.ledger('notification-service', 'attempts')",
    )
    yield Step(
        "second",
        "a second order of the same person gets its own mail",
        1,
        lambda: second(lab),
        "deliver_once in notification-service/main.py",
    )


def second(lab):
    """Send another order through the running lab, once per lab."""
    order = {**lab.run("order").input, "title": "Another one"}
    client = lab.client("task-orchestrator-service")
    if client.get_workflow_state("second") is None:
        client.schedule_new_workflow("task_processing_multi_app", input=order, instance_id="second")
    lab.run("second").settle(10)
    return sum("Another one" in mail.subject for mail in lab.inbox)
