"""The files of a Prometheus: what it asks, which rules it has, and its command line.

All of them lie in one folder below the run folder, where they can be read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from labkit.prometheus.programs import program

HOST = "127.0.0.1"
FOLDER, ADDRESS = "prometheus", "address"
EVERY = "1s"
"""In production 15 s to 60 s are usual; a lesson does not wait that long."""
RULES, TARGETS, CONFIGURATION = "rules.yml", "targets.json", "prometheus.yml"


def configuration(folder: Path) -> str:
    """Return the text of ``prometheus.yml``."""
    job = {"job_name": "dapr", "file_sd_configs": [{"files": [str(folder / TARGETS)]}]}
    document = {
        "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
        "rule_files": [str(folder / RULES)],
        "scrape_configs": [job],
    }
    return yaml.safe_dump(document, sort_keys=False)


def note_targets(folder: Path, ports: Mapping[str, int]) -> None:
    """Write whom it asks; Prometheus reads the file again when it has changed.

    Args:
        ports: the name of a program to the port of its metrics; the name becomes its ``instance``.
    """
    entries = [
        {"targets": [f"{HOST}:{port}"], "labels": {"instance": name}}
        for name, port in ports.items()
    ]
    new = folder / f"{TARGETS}.new"
    new.write_text(json.dumps(entries, indent=1), "utf-8")
    new.replace(folder / TARGETS)


def command(port: int, folder: Path, rules: Path | None) -> list[str]:
    """Write the files and return the command line of a server on loopback.

    Args:
        folder: exists, with the targets in it.
        rules: a file with rules of alerts; None for the ones that it has, or none.

    Raises:
        NoPrometheus: it is not on this machine.
    """
    (folder / CONFIGURATION).write_text(configuration(folder), "utf-8")
    (folder / ADDRESS).write_text(f"http://{HOST}:{port}", "utf-8")
    use_rules(folder, rules)
    return [
        str(program("prometheus")),
        f"--config.file={folder / CONFIGURATION}",
        f"--web.listen-address={HOST}:{port}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=1d",
        "--log.level=warn",
    ]


def use_rules(folder: Path, rules: Path | None) -> None:
    """Copy a file with rules to where Prometheus reads them."""
    if rules is not None:
        shutil.copyfile(rules, folder / RULES)
    elif not (folder / RULES).exists():
        (folder / RULES).write_text("groups: []\n", "utf-8")
