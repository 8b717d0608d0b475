"""What the workflows of the course do when all is well: the steps that must still be there."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.exercises.cases import AUDIT, NOTIFICATIONS, ORCHESTRATOR

INFERENCE = "ml-inference-service"


@dataclass(frozen=True)
class Known:
    """One workflow of ``services/``.

    Attributes:
        steps: names and apps of its steps, those of children included.
        sent: the steps whose answers stand in ``notifications_sent``, in this order.
    """

    steps: tuple[tuple[str, str], ...]
    sent: tuple[str, ...] = ()

    @property
    def apps(self) -> set[str]:
        """The apps that take part."""
        return {app_id for _, app_id in self.steps}


_VALIDATE = ("validate_task", ORCHESTRATOR)
_ASSIGN = ("assign_task", ORCHESTRATOR)
_MAIL = ("send_email", NOTIFICATIONS)
_PUSH = ("send_push", NOTIFICATIONS)
_AUDITED = (
    ("compliance_audit_workflow", AUDIT),
    ("log_audit_event", AUDIT),
    ("check_compliance_rules", AUDIT),
)

KNOWN = {
    "task_processing_multi_app": Known(
        (_VALIDATE, _ASSIGN, _MAIL, _PUSH), ("send_email", "send_push")
    ),
    "task_with_audit": Known((_VALIDATE, _ASSIGN, _MAIL, *_AUDITED), ("send_email",)),
    "task_with_priority": Known((("run_ml_inference", INFERENCE), _ASSIGN, _MAIL)),
    "resilient_task_processing": Known((_VALIDATE, _MAIL), ("send_email",)),
    "task_with_fallback": Known((_VALIDATE, _ASSIGN, _MAIL, _PUSH)),
}
REJECTS = ("task_processing_multi_app", "task_with_audit")
"""Workflows that do nothing for an order that is not valid."""
