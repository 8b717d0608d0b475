# %% [markdown] tags=["story"]
# The provider needs a second for each message. Mail and push do not depend on each other, yet they wait for each other.

# %% [markdown] tags=["wanted"]
# - mail and push are under way at the same time
# - the result still holds both answers

# %% tags=["look"]
lab.run("order").show()

# %% [markdown] tags=["plan"]
# Make both calls first and wait for both with when_all; the swimlane will show two bars at the same time.

# %% [markdown] tags=["expert"]
# `ctx.call_activity` describes a call; nothing is waited for until `yield`. With both calls made before the first `yield`, the runtime starts both. `when_all` then waits for all, in the order of the calls. The swimlane shows two bars side by side, and the order takes half the time.
