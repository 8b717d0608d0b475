"""Steps that observe the lab of this exercise."""

from labkit.exercises.checking import Step


def steps(lab):
    runs = [lab.run(name) for name in ("one", "two")]
    yield Step(
        "ended",
        "both workflows complete",
        "COMPLETED, COMPLETED",
        lambda: ", ".join(run.settle(30) for run in runs),
        'lab.run("one"), lab.run("two")',
    )
    yield Step(
        "all",
        "each workflow got three answers",
        "3, 3",
        lambda: ", ".join(str(run.output) for run in runs),
        'lab.run("one").output',
    )
    yield Step(
        "at-once",
        "never more than one inference runs at the same time",
        "one",
        lambda: at_once(lab.ledger("ml-inference-service", "inferences")),
        'lab.ledger("ml-inference-service", "inferences"), started and ended',
    )


def at_once(rows):
    rows = sorted(rows, key=lambda row: row["started"])
    pairs = zip(rows, rows[1:], strict=False)
    overlap = any(earlier["ended"] > later["started"] for earlier, later in pairs)
    return "more than one" if overlap else "one"
