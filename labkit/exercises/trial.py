"""The counter-scenario of a check: the learner's files in a second lab, with data nobody knew.

The lab is private: the learner's own lab, its inbox and its stores are not touched. Its folder is
kept until the next counter-scenario, so that what was observed can be looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from labkit.exercises.cases import ORCHESTRATOR, Case
from labkit.exercises.catalogue import Exercise
from labkit.exercises.drawing import Draw
from labkit.exercises.observations import Check, untouched
from labkit.exercises.reference import KNOWN
from labkit.lab import Lab

READY_SECONDS = 30.0


class Trial:
    """Starts second labs of one exercise, one after the other, and orders things in them.

    Attributes:
        draw: where its data come from.
        cases: what was ordered so far.
    """

    def __init__(self, exercise: Exercise, draw: Draw | None = None) -> None:
        self.exercise = exercise
        self.draw = draw or Draw()
        self.cases: list[Case] = []
        self._lab: Lab | None = None

    def lab(self, *app_ids: str, **env: str) -> Lab:
        """Return a new lab of the learner's files, with apps started; ends the one before.

        Args:
            app_ids: what is started; none means all apps of the run file.
            env: environment variables of all services; they win over those of the run file.

        Raises:
            StartError: it did not start.
        """
        self.close()
        self._lab = Lab(self.exercise.run_file, private=True, env=env)
        self._lab.up(*app_ids, within=READY_SECONDS, announce=False)
        return self._lab

    def order(
        self,
        workflow: str | None = None,
        given: Any = None,
        *,
        instance_id: str | None = None,
        **changes: Any,
    ) -> Case:
        """Schedule a workflow in the current lab, with drawn data; does not wait for its end.

        Args:
            workflow: its name; None means that of the exercise.
            given: its input; None means a drawn order.
            changes: fields of the drawn order that have these values.
        """
        lab = self._lab or self.lab()
        name = workflow or self.exercise.workflow
        given = self.draw.order(**changes) if given is None else given
        id = instance_id or self.draw.instance_id()
        lab.client(ORCHESTRATOR).schedule_new_workflow(name, input=given, instance_id=id)
        self.cases.append(Case(lab, id, name, given))
        return self.cases[-1]

    def others(self, names: Iterable[str] | None = None) -> Iterable[Check]:
        """Order the other workflows that the current lab has the apps for; yield one check.

        Args:
            names: of workflows; None means all of the course but that of the exercise.
        """
        lab = self._lab or self.lab()
        started = {app.app_id for app in lab.started_apps()}
        asked = [n for n in KNOWN if n != self.exercise.workflow] if names is None else list(names)
        cases = [self.order(name) for name in asked if KNOWN[name].apps <= started]
        if cases:
            yield untouched(cases)

    @property
    def folder(self) -> Path | None:
        """The folder of the newest lab; None when none was started."""
        return self._lab.folder if self._lab else None

    def close(self) -> None:
        """End the current lab; its folder stays."""
        if self._lab is not None:
            self._lab.down()
