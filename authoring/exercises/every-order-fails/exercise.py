# %% [markdown] tags=["story"]
# A colleague changed one of the services. Now every order fails at once. Other teams send their mails through notification-service, too, and theirs arrive.

# %% tags=["look"]
failure = lab.run("order").failure
print(f"{failure.error_type}: {failure.message}" if failure else "no failure")

# %% tags=["look"]
lab.app("notification-service").metadata()["workflows"]["connectedWorkers"]

# %% [markdown] tags=["plan"]
# The orchestrator calls send_mail, but notification-service registered send_email.

# %% [markdown] tags=["expert"]
# Symptom: FAILED at once, with a message. So the app was reached: an absent app gives no error at all. The message says which name was asked for. Metadata cannot list names, so compare the two places where the name is written: the call and the decorator. Repair: correct the call. The service may also register both names; to rename the activity there would break all others that call it.
