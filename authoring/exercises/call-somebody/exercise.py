# %% [markdown] tags=["story"]
# The task system has one alert: it fires whenever a try of an activity fails. So it calls people for mails that arrive a second later, and calls nobody when orders wait for an app that is gone.

# %% [markdown] tags=["wanted"]
# Write rules in `alerts.yml` that call somebody in each of the recorded faults, and nobody in the healthy runs. They must not depend on names of apps, workflows or activities: others will come. You may use any number of rules; the recordings hold `up` and all metrics of workflows, scheduler and placement.

# %% [markdown] tags=["scenario"]
# The scenario plays your rules against the recordings, as `graded` does.

# %% tags=["scenario"]
from labkit.prometheus import graded


def scenario(lab):
    for grade in graded(lab.run_file.path.parent / "alerts.yml"):
        print("healthy" if grade.recording.healthy else "fault  ", grade)

# %% tags=["look"]
from labkit.prometheus import recordings

sum(not recording.healthy for recording in recordings())

# %% [markdown] tags=["plan"]
# I ask whether orders go through: workflows that failed, workflows that try in vain to go on, and programs that do not answer for longer than a restart takes.

# %% [markdown] tags=["expert"]
# The alert asked for a cause, a failed try; what matters is the symptom, an order that does not go through. That has three forms: the workflow FAILED; it is RUNNING, and its turns end with a recoverable error again and again; or a program it needs does not answer, so that nothing at all is counted.
#
# `up == 0` alone would fire at each restart, so it has to be true for longer than that takes. And no rule names a workflow: the next one is covered, too.
