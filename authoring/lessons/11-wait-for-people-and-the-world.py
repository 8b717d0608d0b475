# %% [markdown] tags=["opening"]
# # Wait for people and for the world
#
# **You will** let workflows wait for an assignee and a manager, send events too early, twice and to the wrong wait, lose some, and end everything while a workflow waits. 45 minutes.
#
# **You will be able to**
#
# - build a wait with a deadline, a reminder and an escalation
# - predict which events a workflow takes, and which are lost
# - compare a race with a timer and a wait with a time-out
# - start a workflow over without losing events
#
# **You need** lesson 09. Three questions from earlier lessons come first: answer from memory.
#
# Words: [glossary](../docs/glossary.md).

# %% tags=["recall"]
from datetime import datetime, timezone

import grpc

from labkit import Lab, copy_of_services, finish, observe, predict, quiz, wait_until, workspace

quiz("replayed-clock")

# %% tags=["recall"]
quiz("rescue")

# %% tags=["recall"]
quiz("same-key")

# %% [markdown] tags=["story"]
# ## Nobody did the task
#
# If nobody says that a task is done, the assignee is reminded; then the manager decides: an **escalation**. What people say reaches the workflow as an **external event**: a name and data, sent to an instance ID. Each wait has a **time-out**; when it is over, the SDK raises a `TimeoutError` in the workflow.

# %% tags=["code"]
run_file = copy_of_services(
    "11",
    "escalation-service",
    "notification-service",
    services="escalation",
    env={"REMIND_SECONDS": "2", "ESCALATE_SECONDS": "2", "APPROVAL_SECONDS": "2"},
)
text = (run_file.parent / "escalation-service" / "main.py").read_text()
for function in ("task_escalation", "event_within"):
    print(text[text.index(f"def {function}") :].partition("\n\n\n")[0], end="\n\n")

# %% tags=["code"]
lab = Lab(run_file)
lab.up()
client = lab.client("escalation-service")
task = {"task_id": "t-1", "title": "Review PR"}
task |= {"assignee_email": "alice@example.com", "manager_email": "morgan@example.com"}


def send(name, event, data):
    """Raise an event; return what the client is told."""
    try:
        client.raise_workflow_event(name, event, data=data)
    except grpc.RpcError as problem:
        return problem.details()
    return "accepted"

# %% [markdown] tags=["predict"]
# ## Nobody answers
#
# You start `task_escalation`, and nobody raises an event. *How many mails are sent, and how does it end?*

# %% tags=["predict"]
predict("nobody", ["2 mails, RUNNING", "3 mails, COMPLETED", "3 mails, FAILED"])

# %% tags=["run"]
client.schedule_new_workflow("task_escalation", input=task, instance_id="nobody")
run = lab.run("nobody")
status = run.settle()
for mail in lab.inbox:
    print(mail.to, "-", mail.subject)
print(status, run.output)
display(run.show())
observe("nobody", f"{len(lab.inbox)} mails, {status}")

# %% [markdown] tags=["explain"]
# No answer is a result, not a failure. While the workflow waits, no code of yours runs: the scheduler keeps a reminder for each time-out.
#
# ## Too early, and too late
#
# You raise three events: before the instance exists; right after its start, long before the manager is asked; and after its end. *Which of them decides how the workflow ends?*

# %% tags=["predict"]
predict("early", ["none of them", "the 1st", "the 2nd"])

# %% tags=["run"]
yes = {"approved": True, "by": "morgan"}
told = [send("early", "task_done", {"by": "alice"})]
client.schedule_new_workflow("task_escalation", input=task, instance_id="early")
told.append(send("early", "approval", yes))
run = lab.run("early").wait()
before = run.history.kinds
told.append(send("early", "task_done", {"by": "alice"}))
print("the client was told:", told)
print("the workflow:", run.output, "- 3rd event in the history:", run.history.kinds != before)
decided = {"done": "the 1st", "reassigned": "the 2nd"}
observe("early", decided.get(run.output["status"], "none of them"))

# %% [markdown] tags=["explain"]
# | event | the client is told | the workflow |
# |---|---|---|
# | before the instance exists | `no such instance exists` | never sees it |
# | before the wait | accepted | keeps it until it waits for it |
# | after the end | accepted | never sees it |
#
# > The SDK documents that events for a completed or non-existent instance are silently discarded. On 1.18.1 this holds for a completed instance; for one that does not exist, the client gets an error.
#
# Next comes a small app, `desk`, with a workflow for each further question.

# %% tags=["write"]
# %%workfile 11-desk/desk/main.py --part 1
import signal
from datetime import timedelta

import dapr.ext.workflow as wf

wfr = wf.WorkflowRuntime()


def serve():
    wfr.start()
    signal.pause()


@wfr.activity(name="note")
def note(ctx, given):
    return given


@wfr.workflow(name="four_eyes")
def four_eyes(ctx, given):
    """Two people have to approve."""
    first = yield ctx.wait_for_external_event("approval")
    second = yield ctx.wait_for_external_event("approval")
    return [first, second]


@wfr.workflow(name="ask")
def ask(ctx, given):
    """Return the answer as it arrives."""
    return (yield ctx.wait_for_external_event("answer"))


@wfr.workflow(name="limited")
def limited(ctx, seconds):
    """Wait for an answer with a time-out."""
    try:
        return (yield ctx.wait_for_external_event("answer", timeout=timedelta(seconds=seconds)))
    except TimeoutError:
        return "timed out"


@wfr.workflow(name="watch")
def watch(ctx, given):
    """Note one change after the other; start over after each so many."""
    for _ in range(given["each"]):
        change = yield ctx.wait_for_external_event("change")
        if change == "closed":
            return given["noted"]
        yield ctx.call_activity(note, input=change)
        given["noted"] += 1
    ctx.continue_as_new(given, save_events=given["save"])

# %% tags=["write"]
# %%workfile 11-desk/desk/main.py --part 2
@wfr.workflow(name="offer")
def offer(ctx, people):
    """Offer a task to one after the other; each has four seconds to answer."""
    for person in people:
        answer = ctx.wait_for_external_event("answer")
        timer = ctx.create_timer(timedelta(seconds=4))
        winner = yield wf.when_any([answer, timer])
        if winner is answer:
            return f"{person} takes it"
        yield ctx.call_activity(note, input=f"{person} did not answer")
    return "nobody takes it"

# %% tags=["write"]
# %%workfile 11-desk/dapr.yaml
version: 1
common:
  resourcesPath: components
apps:
  - appID: desk
    appDirPath: desk
    command: ["python3", "-c", "import main; main.serve()"]

# %% [markdown] tags=["predict"]
# ## The same event twice
#
# `four_eyes` waits for `approval` twice, since two people have to approve. Morgan clicks twice. In a second instance, Ada and Bo refuse with `False`. *What does the first one return?*

# %% tags=["predict"]
predict("twice", ["it waits for a second person", "morgan, morgan", "it fails"])

# %% tags=["run"]
lab = Lab(workspace("11-desk") / "dapr.yaml")
lab.up()
client = lab.client("desk")
for name, data in (("twice", "morgan"), ("refused", False)):
    client.schedule_new_workflow("four_eyes", instance_id=name)
    send(name, "approval", data)
    send(name, "Approval", data)
    print(name, lab.run(name).settle(3), lab.run(name).output)
run = lab.run("twice")
words = {"RUNNING": "it waits for a second person", "FAILED": "it fails"}
observe("twice", words.get(run.status) or ", ".join(run.output))

# %% [markdown] tags=["explain"]
# Each event ends one wait; waits of one name are served in the order in which they were made. Upper and lower case do not matter: `Approval` reached the second wait. An event has no sender: your code has to check who may approve. `False` arrives as `None`, like all data that Python treats as false. So send `{"approved": False, "by": "ada"}`.
#
# ## Which wait gets the answer?
#
# `offer` asks Ada first. Four seconds later it asks Bo, and waits for the same event name. Then Bo answers. *What does the workflow return?*

# %% tags=["predict"]
predict("offer", ["ada takes it", "bo takes it", "nobody takes it"])

# %% tags=["run"]
def answer_second(name):
    """Answer when the first person has not, and the second is asked."""
    client.schedule_new_workflow("offer", input=["ada", "bo"], instance_id=name)
    wait_until(lambda: "taskCompleted" in lab.run(name).history.kinds, 30)
    send(name, "answer", "me")
    return lab.run(name).wait().output


observe("offer", answer_second("race"))

# %% [markdown] tags=["explain"]
# A race does not end its loser. The wait for Ada still stood first in line and took Bo's event, which no code reads any more. Bo's wait got nothing, and his timer fired. A wait with `timeout=` leaves the line when its time is over:

# %% tags=["change"]
# %%workfile 11-desk/desk/main.py --part 2
@wfr.workflow(name="offer")
def offer(ctx, people):
    """Offer a task to one after the other; each has four seconds to answer."""
    for person in people:
        try:
            yield ctx.wait_for_external_event("answer", timeout=timedelta(seconds=4))
            return f"{person} takes it"
        except TimeoutError:
            yield ctx.call_activity(note, input=f"{person} did not answer")
    return "nobody takes it"

# %% tags=["change"]
lab.restart("desk", announce=False)
print(answer_second("time-out"))

# %% [markdown] tags=["predict"]
# ## A watch that never ends
#
# **Continue as new** starts a workflow over with an empty history. `watch` does so after two changes; you pause it until five are there. *How many are noted, without and with `save_events=True`?*

# %% tags=["predict"]
predict("saved", ["without 5, with 5", "without 2, with 5", "without 1, with 5"])

# %% tags=["run"]
def noted(name, save):
    """Return how many of five changes that came at once are noted."""
    start = {"each": 2, "noted": 0, "save": save}
    client.schedule_new_workflow("watch", input=start, instance_id=name)
    client.pause_workflow(name)
    for change in ("a", "b", "c", "d", "e"):
        send(name, "change", change)
    wait_until(lambda: lab.run(name).history.kinds.count("eventRaised") == 5, 30)
    client.resume_workflow(name)
    lab.run(name).settle(3)
    return lab.run(name).input["noted"] + str(lab.run(name).history.steps()).count("name='note'")


lost, kept = noted("lossy", False), noted("careful", True)
observe("saved", f"without {lost}, with {kept}")

# %% [markdown] tags=["explain"]
# Events that come before their wait are kept in the history. A new run gets only what `save_events=True` hands over. Pause only once: SDK 1.18.3 never answers a resume after two pauses.
#
# Now 40 changes each for `careful` and `endless`, which never starts over:

# %% tags=["look"]
client.schedule_new_workflow(
    "watch", input={"each": 1000, "noted": 0, "save": True}, instance_id="endless"
)
for name in ("careful", "endless"):
    for number in range(40):
        send(name, "change", str(number))
    send(name, "change", "closed")
    run = lab.run(name).wait(60)
    print(name, run.output, "changes; long history:", len(run.history.events) > 100)

# %% tags=["quiz"]
quiz("when-events-are-lost")

# %% [markdown] tags=["predict"]
# ## Everything ends while a workflow waits
#
# `patient` waits without a limit, `hasty` for six seconds. You end the whole lab, and start it again on the same stores when the six seconds are over. *What does `hasty` do?*

# %% tags=["predict"]
predict("restart", ["it is gone", "it waits six seconds again", "it times out at once"])

# %% tags=["run"]
client.schedule_new_workflow("ask", instance_id="patient")
client.schedule_new_workflow("limited", input=6, instance_id="hasty")
due = wait_until(lambda: lab.run("hasty").history.steps(), 30)[0].due
lab.down()
wait_until(lambda: datetime.now(timezone.utc) > due, 30)
lab = Lab(workspace("11-desk") / "dapr.yaml", resume=True)
lab.up(announce=False)
client, run = lab.client("desk"), lab.run("hasty")
is_kept = client.get_workflow_state("hasty") is not None
timers = len(run.wait().history.steps()) if is_kept else 0
print("hasty:", run.output if is_kept else "", "- timers in its history:", timers)
send("patient", "answer", "still here")
print("patient:", lab.run("patient").wait().output)
words = {0: "it is gone", 1: "it times out at once", 2: "it waits six seconds again"}
observe("restart", words.get(timers, f"{timers} timers"))

# %% [markdown] tags=["explain"]
# The history stores the moment at which a time-out is due, not its length, and the scheduler keeps a reminder on disk.
#
# ## Cancel
#
# The task is dropped while `task_escalation` waits:

# %% tags=["look"]
lab = Lab(run_file)
lab.up(announce=False)
client = lab.client("escalation-service")
client.schedule_new_workflow("task_escalation", input=task, instance_id="dropped")
wait_until(lambda: lab.inbox, 30)
client.terminate_workflow("dropped")
print(lab.run("dropped").wait().status, [mail.subject for mail in lab.inbox])
print("an event after that is", send("dropped", "task_done", {"by": "alice"}))

# %% [markdown] tags=["explain"]
# A terminated workflow runs none of your code any more: no `except`, no `finally`, no mail. Where people have to hear of it, let the workflow wait for an event `dropped` as well, and end by itself.

# %% [markdown] tags=["close"]
# ## What you can now do
#
# You build waits with deadlines and escalations, and know which events are lost.
#
# [Claims](../docs/claims.md) you have seen: an event before its wait is kept; one before the instance exists is refused; a wait that lost a race still takes an event.
#
# Next: use it in the exercises.

# %% tags=["close"]
lab.down()
finish("11-wait-for-people-and-the-world")
