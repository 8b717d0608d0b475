"""Loaded by Python itself when a service of the second lab starts: no timer takes long.

The clock of a workflow goes on as if it had waited for as long as it asked.
"""

from datetime import datetime, timedelta

from dapr.ext.workflow._durabletask.worker import _RuntimeOrchestrationContext as Context

SHORT = timedelta(milliseconds=1)
usual = Context.create_timer_internal


def now(self):
    """Return the time of the runtime, and what was left out of the timers so far."""
    return self._current_utc_datetime + self.__dict__.get("left_out", timedelta(0))


def set_now(self, value):
    """Take the time of the runtime at the beginning of a turn."""
    self._current_utc_datetime = value


def create_timer(self, fire_at, *more, **named):
    """Create a timer that fires at once; one for an external event stays as it is."""
    if isinstance(fire_at, datetime):
        fire_at = fire_at.replace(tzinfo=None) - self.current_utc_datetime
    if isinstance(fire_at, timedelta):
        self.left_out = self.__dict__.get("left_out", timedelta(0)) + fire_at
        fire_at = self._current_utc_datetime + min(fire_at, SHORT)
    return usual(self, fire_at, *more, **named)


Context.current_utc_datetime = property(now, set_now)
Context.create_timer_internal = create_timer
