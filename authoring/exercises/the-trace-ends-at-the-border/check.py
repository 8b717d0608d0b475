"""Every step of an order has its span, of the app that did it, and all are one trace."""

from labkit.exercises.observations import Check, ended
from labkit.labs.workflowrun import NotTraced

OTHERS = ()
WHOLE = "each step, in one trace"


def wished(case):
    yield ended(case)
    yield Check(
        "traced",
        f"every step of the workflow {case.name} has its span",
        WHOLE,
        lambda: seen(case.run),
        f"lab.run({case.instance_id!r}).trace(), and the Configuration of each app",
    )


def seen(run):
    try:
        trace = run.trace()
    except NotTraced:
        return "no app sends spans to the lab"
    if trace.missing:
        return f"no span of {', '.join(map(str, trace.missing))}"
    parts = len(trace.spans.roots)
    return WHOLE if parts == 1 else f"a trace in {parts} parts"
