# %% [markdown] tags=["story"]
# `task_escalation` asks one manager, and whatever that one says is done. From now on no single person may move a task: three managers are asked, and two of them have to agree.

# %% [markdown] tags=["wanted"]
# - the input has `managers`, a list of three addresses, and no `manager_email`; each of them gets one mail, "Please decide"
# - an `approval` counts when its `by` is one of the managers, and only the first one of each counts
# - when two have approved, the task is assigned to the first of the two, and the output says `reassigned`; when two have refused, it says `kept`; `by` lists these two in the order of their answers
# - when `APPROVAL_WITHIN` is over, counted from the question, the output says `timed out`; answers do not make the time longer
# - answers that come before the question count, too, and all before the question stays as it is

# %% tags=["scenario"]
managers = [f"{name}@example.com" for name in ("morgan", "noor", "olga")]
task = {"task_id": "task-123", "title": "Review PR"}
task |= {"assignee_email": "alice@example.com", "managers": managers}


def scenario(lab):
    lab.up(announce=False)
    client = lab.client("escalation-service")
    answers = {"agreed": managers[:2], "alone": managers[:1]}
    for name, people in answers.items():
        client.schedule_new_workflow("task_escalation", input=task, instance_id=name)
        for person in people:  # kept until the wait
            answer = {"approved": True, "by": person}
            client.raise_workflow_event(name, "approval", data=answer)
    for name in answers:
        print(name, lab.run(name).settle(8), lab.run(name).output)

# %% tags=["look"]
lab.run("alone").show()

# %% [markdown] tags=["plan"]
# I make one timer before the loop, race each wait for an approval with it, and keep the first answer of each manager in a dict; the output of "alone" will say "timed out".

# %% [markdown] tags=["expert"]
# Three things look like one: an event, an answer and a person. Events are counted by the runtime, answers by the workflow, and people by neither: so the key of the dict is the person, `setdefault` keeps the first answer, and whoever is not asked is ignored.
#
# The deadline belongs to the question, and not to the wait. A wait with `timeout=` in a loop begins a new time in each round, so three answers can make it three times as long. One timer before the loop, raced with each wait, ends when the question ends. The wait that loses the last race stays in line for the next event, which does no harm here: the workflow ends.
