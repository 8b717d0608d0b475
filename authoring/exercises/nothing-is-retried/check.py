"""A mail that fails while the mail server is down is sent by a later try of the same workflow.

An order whose mail is always refused must go on. How long its pauses are is not asked: they are
left out, and its tries counted.
"""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR, part
from labkit.exercises.observations import Check, MomentMissed, as_before, came_true, ended, mailed
from labkit.waiting import patience

OUTAGE_SECONDS = 1.6
"""With the start of the mail server it is down for a little less than the two of the story."""
STORY_SECONDS = 2.0
READY_SECONDS = 30.0
GIVEN_UP_SECONDS = 30.0
MOST = 100
"""Who tries so often has no end in mind."""
HURRY = Path(__file__).parent / "hurry"


def wished(case):
    yield ended(case)
    yield Check(
        "outage",
        "a try of the mail failed, as the mail server was down",
        "failed",
        lambda: failed(case)[0].outcome if failed(case) else "no try failed",
        f"lab.run({case.instance_id!r}).history.steps(); the scenario as the exercise gives it",
        otherwise="unknown" if case.is_own else "failed",
    )
    yield Check(
        "sent",
        "the result says that the mail was sent",
        True,
        lambda: sent(case),
        f"lab.run({case.instance_id!r}).output, and the attempts in its history",
    )
    yield mailed(case)


def counter(trial):
    lab = trial.lab(ORCHESTRATOR, own={ORCHESTRATOR: {"PYTHONPATH": str(HURRY)}})
    with refusing_service(lab):
        yield goes_on(trial.order())
    slow_down(lab)
    lab.up(within=READY_SECONDS * patience(), announce=False)
    lab.kill("mail")
    case = trial.order()
    came_true(lambda: failed(case) or case.run.has_ended, 10 * patience())
    came_true(lambda: case.run.has_ended, OUTAGE_SECONDS)
    lab.up(announce=False)
    yield from wished(case)
    yield from as_before(case)


@contextmanager
def refusing_service(lab):
    """Within the block a service of our own runs as notification-service, and refuses each mail."""
    usual = lab.run_file
    spec = next(a for a in usual.apps if a.app_id == ORCHESTRATOR)
    own = replace(
        spec,
        app_id=NOTIFICATIONS,
        folder=Path(__file__).parent,
        command=("python3", "refusing.py"),
        config=None,
        settings={},
    )
    lab.run_file = replace(usual, apps=(own,))
    lab.up(NOTIFICATIONS, within=READY_SECONDS * patience(), announce=False)
    lab.run_file = usual
    yield
    lab.kill(NOTIFICATIONS)
    lab.app(NOTIFICATIONS).spec = next(a for a in usual.apps if a.app_id == NOTIFICATIONS)


def slow_down(lab):
    """Let the orchestrator wait for its timers from now on; it is started again with the rest."""
    lab.kill(ORCHESTRATOR, "worker")
    app = lab.app(ORCHESTRATOR)
    env = {name: value for name, value in app.spec.env.items() if value != str(HURRY)}
    app.spec = replace(app.spec, env=env)


def refusals(lab):
    """How often our own service was asked for a mail."""
    file = lab.app(NOTIFICATIONS).ledger.with_name("refused.txt")
    return len(file.read_text("utf-8").splitlines()) if file.exists() else 0


def goes_on(case):
    def observe():
        within = GIVEN_UP_SECONDS * patience()
        came_true(lambda: case.run.has_ended or refusals(case.lab) > MOST, within)
        if refusals(case.lab) > MOST:
            return f"the mail is tried more than {MOST} times"
        status = case.settled()
        if status != "COMPLETED":
            return status
        return f"COMPLETED, sent: {part(case.output, 'notifications_sent', 0, 'sent')}"

    return Check(
        "without",
        "an order whose mail is refused for good is completed without it",
        "COMPLETED, sent: False",
        observe,
        "what the workflow does when the call of send_email has failed for the last time",
    )


def failed(case):
    return [s for s in case.steps(app_id=NOTIFICATIONS) if s.outcome == "failed"]


def sent(case):
    told = part(case.output, "notifications_sent", 0, "sent")
    lasted = (failed(case)[-1].ended - failed(case)[0].ended).total_seconds()
    if told is not True and lasted > STORY_SECONDS:
        raise MomentMissed(
            "the mail server was down for longer than two seconds",
            asked="a mail server that is down for two seconds",
            found=f"tries failed over {lasted:.1f} s",
            look_at="the load of this machine",
            fix="run the scenario again, and check again",
        )
    return told
