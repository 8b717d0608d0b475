"""Steps that observe the lab of this exercise."""

import json

from labkit.exercises.steps import ending

from labkit.exercises.checking import Step


def steps(lab):
    yield Step(
        "ended",
        "the workflow of the report ends",
        "COMPLETED",
        lambda: ending(lab.run("report"), 8),
        'lab.run("report").history',
    )
    yield Step(
        "whole",
        "the model judged the whole report",
        3_040_000,
        lambda: judged(lab),
        'lab.app("ml-inference-service").logs()',
    )


def judged(lab):
    """The characters of the last text that the model says it has scored."""
    lines = lab.app("ml-inference-service").logs().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    return [line["characters"] for line in told if line["event"] == "scored"][-1]
