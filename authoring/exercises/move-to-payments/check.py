"""Both apps are in the namespace payments, and the order is completed there as before."""

from labkit.exercises.cases import NOTIFICATIONS, ORCHESTRATOR
from labkit.exercises.observations import Check, ended, mailed

WANTED = "payments"
APPS = (ORCHESTRATOR, NOTIFICATIONS)


def wished(case):
    yield ended(case)
    yield mailed(case)
    yield Check(
        "namespaces",
        f"both apps are in the namespace {WANTED}",
        ", ".join(f"{app_id} in {WANTED}" for app_id in APPS),
        lambda: ", ".join(f"{app_id} in {namespace(case.lab, app_id)}" for app_id in APPS),
        'lab.app("notification-service").metadata()["actorRuntime"]["activeActors"]',
    )


def namespace(lab, app_id):
    """The namespace in the actor types of a sidecar: dapr.internal.NAMESPACE.APP.workflow."""
    types = [a["type"] for a in lab.app(app_id).metadata()["actorRuntime"].get("activeActors", [])]
    found = {t.split(".")[2] for t in types if t.startswith("dapr.internal.")}
    return " and ".join(sorted(found)) or "no namespace: it has no actors"
