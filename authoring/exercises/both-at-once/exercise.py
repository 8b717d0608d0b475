# %% [markdown] tags=["story"]
# The provider needs a second for each message. The push does not depend on the mail, yet it waits for it. (A workflow can wait for a list of calls with one `yield`: `wf.when_all`.)

# %% [markdown] tags=["wanted"]
# - mail and push are under way at the same time, so both are done in less than two seconds
# - the output still holds the answers of both calls, in `notifications_sent`

# %% tags=["look"]
lab.run("order").show()

# %% [markdown] tags=["plan"]
# Make both calls first and wait for both with when_all; the swimlane will show two bars at the same time.

# %% [markdown] tags=["expert"]
# `ctx.call_activity` asks for a call; the workflow waits only where it yields. With both calls made before the first `yield`, the runtime starts both. `when_all` waits for all of them and returns their answers in the order of the calls. The swimlane shows two bars that overlap, and the order takes half the time.
