"""Prometheus beside a lab: its programs, its files, questions to it, and rules of alerts.

It knows addresses and files, and has never heard of a lab.
"""

from labkit.prometheus.files import FOLDER, command, note_targets
from labkit.prometheus.grading import Grade, Recording, graded, played, recordings
from labkit.prometheus.handle import Alert, Prometheus, PrometheusSilent, of_folder
from labkit.prometheus.programs import NoPrometheus, program
from labkit.prometheus.rules import WrongRules, check_rules, tested
from labkit.prometheus.samples import Sample, samples

__all__ = [
    "FOLDER",
    "Alert",
    "Grade",
    "NoPrometheus",
    "Prometheus",
    "PrometheusSilent",
    "Recording",
    "Sample",
    "WrongRules",
    "check_rules",
    "command",
    "graded",
    "note_targets",
    "of_folder",
    "played",
    "program",
    "recordings",
    "samples",
    "tested",
]
