"""What a run leaves behind besides its history: its trace, its metrics, its lines in the logs.

Each of the three is a record that is joined to the steps of the run as far as Dapr's data allow,
with a picture or a table and the same in words. They are made from records and start nothing.
"""

from labkit.telemetry.bars import Bar, bars
from labkit.telemetry.loglines import LogLine, RunLogs, lines_of
from labkit.telemetry.metrics import RunMetrics
from labkit.telemetry.views import Views
from labkit.telemetry.waterfall import Waterfall

__all__ = [
    "Bar",
    "LogLine",
    "RunLogs",
    "RunMetrics",
    "Views",
    "Waterfall",
    "bars",
    "lines_of",
]
