"""Prometheus beside a lab: its programs, its files, questions to it, rules and panels.

It knows addresses and files, and has never heard of a lab.
"""

from labkit.prometheus.dashboards import Dashboard, UnknownPanel, WrongDashboard, dashboard
from labkit.prometheus.files import FOLDER, command, note_targets
from labkit.prometheus.grading import Grade, Recording, graded, played, recordings
from labkit.prometheus.handle import Alert, Prometheus, of_folder
from labkit.prometheus.panels import Drawn
from labkit.prometheus.programs import NoPrometheus, program
from labkit.prometheus.rules import WrongRules, check_rules, tested
from labkit.prometheus.samples import Sample, Series, samples
from labkit.prometheus.silence import PrometheusSilent, QueryRefused

__all__ = [
    "FOLDER",
    "Alert",
    "Dashboard",
    "Drawn",
    "Grade",
    "NoPrometheus",
    "Prometheus",
    "PrometheusSilent",
    "QueryRefused",
    "Recording",
    "Sample",
    "Series",
    "UnknownPanel",
    "WrongDashboard",
    "WrongRules",
    "check_rules",
    "command",
    "dashboard",
    "graded",
    "note_targets",
    "of_folder",
    "played",
    "program",
    "recordings",
    "samples",
    "tested",
]
