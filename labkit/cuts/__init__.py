"""The cut engine: kill anything at every recorded event, and ask whether a promise still holds.

A workflow runs once, uncut, to learn its recorded events, of all apps. Then it runs again and
again, each time in a lab of its own with one cut, until every cut has an outcome.
"""

from labkit.cuts.outcome import Outcome, Result
from labkit.cuts.plan import HOWS, VICTIMS, Cut, Point
from labkit.cuts.study import Report, Study

__all__ = ["HOWS", "VICTIMS", "Cut", "Outcome", "Point", "Report", "Result", "Study"]
