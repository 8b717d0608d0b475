# %% [markdown] tags=["story"]
# Since last month an alert watches the mails. It was reviewed, Prometheus accepted it, and it has never called anybody. Last night the mail server refused mails for a minute, and the alert stayed silent again. The orders went through after retries, but this team wants to know when mails fail more than once within a minute.

# %% [markdown] tags=["scenario"]
# What Prometheus saw last night is recorded, and so are two nights on which all was well. The scenario plays the rule against all three. After the repair it must fire for last night and stay silent for the others.

# %% tags=["scenario"]
from labkit.prometheus import graded, recordings

nights = {r.name: r for r in recordings() if r.name in ("usual", "slow", "retried")}


def scenario(lab):
    for grade in graded(lab.run_file.path.parent / "alerts.yml", nights.values()):
        night = "last night" if grade.recording.name == "retried" else "all well  "
        print(night, "somebody is called" if grade.fired else "nobody is called")

# %% tags=["look"]
counters = [name for name in nights["retried"].series if "execution_count" in name]
print(len(counters), "counters of executions were there last night")

# %% [markdown] tags=["plan"]
# The rule looks for send_email in the metrics of the caller, and the sidecar of the called app counts its activities, so it finds no series.

# %% [markdown] tags=["expert"]
# A rule that finds no series is valid and silent, for ever. So first question: does its expression find anything? The recording has a series of `send_email` with `status="failed"`, and its `app_id` is `notification-service`: activities are counted by the sidecar that runs them, whoever calls.
#
# Repair: the right `app_id`, or none. And a test for each rule with values at which it has to fire: a rule that was never seen firing is a guess.
