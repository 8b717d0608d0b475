"""Questions to a Prometheus that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from labkit.prometheus import dashboards
from labkit.prometheus.files import ADDRESS, FOLDER
from labkit.prometheus.panels import Drawn, drawn
from labkit.prometheus.samples import Sample, Series, samples
from labkit.prometheus.silence import PrometheusSilent, QueryRefused
from labkit.reading import plainhttp

SECONDS = 5.0
READ_AT = "prometheus_config_last_reload_success_timestamp_seconds"


@dataclass(frozen=True)
class Alert:
    """An alert that Prometheus has raised.

    Attributes:
        state: "pending" while the condition is younger than its ``for``, then "firing".
    """

    name: str
    state: Literal["pending", "firing"]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def __str__(self) -> str:
        known = {k: v for k, v in sorted(self.labels.items()) if k != "alertname"}
        return f"{self.name} {self.state}: {', '.join(f'{k}={v}' for k, v in known.items())}"


class Prometheus:
    """A Prometheus, by its address.

    Attributes:
        url: where its page is.
        mark: "" for one that runs; else what says that its answers were recorded.
        answered: whether it has answers at all.
    """

    mark = ""
    answered = True

    def __init__(self, url: str) -> None:
        self.url = url

    def __repr__(self) -> str:
        return f"Prometheus({', '.join(sorted(self.targets())) or 'asks nobody yet'})"

    def is_ready(self) -> bool:
        """Whether it answers, and has asked everybody once."""
        try:
            found = self._targets()
        except PrometheusSilent:
            return False
        return bool(found) and all(t["health"] != "unknown" for t in found)

    def read_its_files_at(self) -> float:
        """Return when it last read its files without an error, in seconds since the epoch."""
        try:
            with plainhttp.client(SECONDS) as http:
                found = samples(http.get(f"{self.url}/metrics").text)
        except httpx.HTTPError:
            return 0.0
        return max((s.value for s in found if s.name == READ_AT), default=0.0)

    def targets(self) -> dict[str, bool]:
        """Return whom it asks, and whether the last question was answered."""
        return {t["labels"].get("instance", ""): t["health"] == "up" for t in self._targets()}

    def query(self, expression: str, at: float | None = None) -> list[Sample]:
        """Return what an expression yields.

        Args:
            at: the moment, in seconds since the epoch; None for now.

        Raises:
            QueryRefused: the expression is wrong; carries Prometheus' words.
            PrometheusSilent: it does not answer.
        """
        asked = {"query": expression, **({} if at is None else {"time": f"{at:.3f}"})}
        found = self._get("query", asked)
        if found["resultType"] in ("scalar", "string"):
            return [Sample("", {}, float(found["result"][1]))]
        return [_sample(one) for one in found["result"]]

    def over(self, expression: str, since: float, until: float, step: int) -> list[Series]:
        """Return the values of an expression over a time.

        Args:
            since, until: in seconds since the epoch.
            step: a value every so many seconds.

        Raises:
            QueryRefused: the expression is wrong; carries Prometheus' words.
            PrometheusSilent: it does not answer.
        """
        asked = {"query": expression, "start": f"{since:.3f}", "end": f"{until:.3f}"}
        found = self._get("query_range", {**asked, "step": f"{step}"})
        return [_series(one) for one in found["result"]]

    def label_values(self, label: str, of: str = "") -> list[str]:
        """Return the values that a label has.

        Args:
            of: only of the series that this selector names; "" for all.
        """
        return list(self._get(f"label/{label}/values", {"match[]": of} if of else {}) or [])

    def panel(
        self,
        title: str,
        dashboard: str | Path = "workflows",
        seconds: float = 300,
        **variables: str,
    ) -> Drawn:
        """Return what a panel of a Grafana dashboard shows now: a picture, and ``.text``.

        Args:
            title: of the panel; ``ROW: TITLE`` where a title comes twice.
            dashboard: "workflows", which the course has written; "sidecar" or "actor", which are
                Dapr's (docs/views.md says what is changed); or the path of a file.
            seconds: how far it looks back.
            variables: values for ``$NAME`` in the queries; the others are asked, as Grafana does.

        Raises:
            UnknownPanel: the dashboard has no such panel; says which it has.
            WrongTime: ``seconds`` is no number above 0.
            WrongDashboard: the file, or a query, cannot be used; names the line.
            PrometheusSilent: it does not answer.
        """
        return drawn(dashboards.dashboard(dashboard), title, self, seconds, variables)

    def alerts(self) -> list[Alert]:
        """Return the alerts that are pending or firing."""
        return [
            Alert(
                a["labels"].get("alertname", ""),
                a["state"],
                a["labels"],
                a.get("annotations", {}),
            )
            for a in self._get("alerts", {})["alerts"]
        ]

    def firing(self) -> list[str]:
        """Return the names of the alerts that fire, each once."""
        return sorted({a.name for a in self.alerts() if a.state == "firing"})

    def rules(self) -> list[str]:
        """Return the names of the rules that it evaluates."""
        groups = self._get("rules", {})["groups"]
        return [rule["name"] for group in groups for rule in group["rules"]]

    def _targets(self) -> list[dict[str, Any]]:
        return list(self._get("targets", {"state": "active"})["activeTargets"])

    def _get(self, path: str, asked: Mapping[str, str]) -> Any:
        try:
            with plainhttp.client(SECONDS) as http:
                answer = http.get(f"{self.url}/api/v1/{path}", params=dict(asked)).json()
        except (httpx.HTTPError, ValueError) as problem:
            raise self._silent(path, asked, str(problem) or type(problem).__name__) from problem
        if answer.get("status") != "success":
            is_refused = answer.get("errorType") in QueryRefused.kinds
            kind = QueryRefused if is_refused else PrometheusSilent
            raise self._silent(path, asked, str(answer.get("error")), kind)
        return answer["data"]

    def _silent(
        self,
        path: str,
        asked: Mapping[str, str],
        found: str,
        kind: type[PrometheusSilent] = PrometheusSilent,
    ) -> PrometheusSilent:
        return kind(
            "Prometheus gave no usable answer",
            asked=f"{path} {asked.get('query', '')}".strip(),
            found=found,
            look_at="prometheus.log in the folder of the logs, and lab.status()",
            fix="correct the expression, or start it again with lab.prometheus()",
        )


def _sample(one: Mapping[str, Any]) -> Sample:
    labels = dict(one["metric"])
    name = labels.pop("__name__", "")
    return Sample(name, labels, float(one["value"][1]))


def _series(one: Mapping[str, Any]) -> Series:
    labels = dict(one["metric"])
    name = labels.pop("__name__", "")
    return Series(name, labels, tuple((float(at), float(value)) for at, value in one["values"]))


def of_folder(run_folder: Path) -> Prometheus | None:
    """Return the Prometheus of a run; None when the run has started none."""
    try:
        return Prometheus((run_folder / FOLDER / ADDRESS).read_text("utf-8"))
    except OSError:
        return None
