"""A bulk has at most its limit of inferences under way, and uses each free place at once.

How many are under way is read from the history: from the event that scheduled a call to the event
with its answer.
"""

from collections import Counter

import yaml

from labkit.exercises.cases import Case
from labkit.exercises.observations import Check, besides, ended, ordered, says
from labkit.waiting import patience

WORKFLOW, STEP, ML = "bulk_task_processing", "run_ml_inference", "ml-service"
OTHERS = ()
MANY = 10
SECONDS = 3.0
AT_THE_TARGET = 50
"""What the Configuration of ml-service allows all callers together."""


def steps(lab):
    yield from wished(Case(lab, "order", WORKFLOW))


def counter(trial):
    long = SECONDS * patience()
    trial.lab(INFERENCE_SECONDS="0.1", REPORT_SECONDS=str(long))
    for limit in (2, trial.draw.number(5, 7)):
        titles = [trial.draw.title() for _ in range(MANY - 1)]
        titles.append(titles[-1])  # two tasks may have one title
        urgent = trial.draw.number(2, MANY - 2)
        titles[:urgent] = [f"{title} outage" for title in titles[:urgent]]
        reports = [f"{trial.draw.title()} report" for _ in range(2)]
        titles = [reports[0], *titles, reports[1]]  # long ones at both ends
        case = trial.order(given={"titles": titles, "limit": limit})
        yield from wished(case, within=2 * long)
        wanted = {"done": MANY + 2, "high": urgent}
        counts = says(case, wanted, checked="the output counts all tasks, and the urgent ones")
        yield besides(counts, lambda: fewer_than_places(trial))
        yield free(case, long)


def wished(case, within=5 * SECONDS):
    yield ordered(case)
    yield ended(case, within=within)
    limit = Check(
        "limit",
        f"of the workflow {case.name} as many inferences are under way as the limit allows",
        f"{case.order['limit']} at a time",
        lambda: f"{under_way(inferences(case))} at a time",
        f"lab.run({case.instance_id!r}).history.steps(): began and ended",
    )
    yield besides(limit, lambda: other_configuration(case.lab))
    yield Check(
        "all",
        f"{ML} judges every title of the workflow {case.name} once",
        "every title once",
        lambda: judged(case),
        f"lab.run({case.instance_id!r}).history.steps()",
    )
    yield says(
        case,
        len(case.order["titles"]),
        "done",
        checked=f"the output of the workflow {case.name} counts all titles",
    )


def fewer_than_places(trial):
    """A bulk with fewer tasks than places ends, too."""
    titles = [trial.draw.title() for _ in range(2)]
    case = trial.order(given={"titles": titles, "limit": MANY})
    status = case.settled()
    told = status if status != "COMPLETED" else judged(case)
    return "" if told == "every title once" else f"but of two tasks with ten places: {told}"


def other_configuration(lab):
    """The sidecar of the target has the limit for all its callers that it had."""
    file, name = lab.app(ML).spec.config, "maxConcurrentActivityInvocations"
    read = yaml.safe_load(file.read_text("utf-8")) if file else {}
    limit = read.get("spec", {}).get("workflow", {}).get(name, "no limit")
    return "" if limit == AT_THE_TARGET else f"but the Configuration of {ML} has {limit} as {name}"


def inferences(case):
    return case.steps(STEP, ML)


def under_way(steps):
    """Return the largest number of steps that had begun and not ended at one moment."""
    moments = [(s.began, 1) for s in steps] + [(s.ended, -1) for s in steps if s.ended]
    running = most = 0
    for _, one in sorted(moments):  # at the same moment, the end comes first
        running += one
        most = max(most, running)
    return most


def judged(case):
    done = Counter(s.argument.get("title") for s in inferences(case) if s.outcome == "completed")
    wanted = Counter(case.order["titles"])
    if done == wanted:
        return "every title once"
    missing, more = (wanted - done).total(), (done - wanted).total()
    return f"{missing} titles without an answer, {more} answers too many"


def free(case, long):
    """No place stays empty for half of a long inference while titles wait."""
    return Check(
        "free",
        "a place that becomes free is used at once, also while a slow task is judged",
        "used at once",
        lambda: "used at once" if empty(case) < long / 2 else "a place stays empty, and tasks wait",
        f"lab.run({case.instance_id!r}).history.steps(): began and ended",
    )


def empty(case):
    """Return for how many seconds a place was empty at most, while titles waited for one."""
    steps = inferences(case)
    moments = [(s.began, 1) for s in steps] + [(s.ended, -1) for s in steps if s.ended]
    running = begun = 0
    longest, since = 0.0, None
    for moment, one in sorted(moments):
        if since is not None:
            longest = max(longest, (moment - since).total_seconds())
        running += one
        begun += max(one, 0)
        waits = begun < len(steps) and running < case.order["limit"]
        since = (since or moment) if waits and begun >= case.order["limit"] else None
    return longest
