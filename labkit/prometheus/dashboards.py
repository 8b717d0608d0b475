"""Grafana's dashboards: their panels and queries, each with the line on which it stands.

It reads files and asks nobody; :mod:`labkit.prometheus.panels` asks and draws. Of Dapr's own
dashboards the course leaves the files as they are (``grafana/dapr``) and lists in
``grafana/changes.yaml`` what it asks in their place, and which panels can have no data here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from labkit.errors import DeploymentError, ObservationError
from labkit.reading import plainfile, yamltree

FOLDER = Path(__file__).with_name("grafana")
COURSE = {
    "workflows": FOLDER / "workflows.json",
    "sidecar": FOLDER / "dapr" / "grafana-sidecar-dashboard.json",
    "actor": FOLDER / "dapr" / "grafana-actor-dashboard.json",
}
CHANGES = FOLDER / "changes.yaml"
EXPORT = "save it from Grafana by Export, then Save to file, and name that file"
_VARIABLE = re.compile(
    r"\$\{(\w+)(?::\w+)?\}|\[\[(\w+)(?::\w+)?\]\]|\$([a-zA-Z_]\w*)"  # ${a:regex}, [[a]], $a
)
_PAIR = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..")
_NO_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufffe\uffff]")


class WrongDashboard(DeploymentError):
    """A file with a dashboard is wrong, or one of its queries is."""

    code = "wrong-dashboard"


class UnknownPanel(ObservationError):
    """A dashboard has no such panel, or several."""

    code = "unknown-panel"


@dataclass(frozen=True)
class Query:
    """One question of a panel.

    Attributes:
        legend: how a series is called, with labels in it: ``{{app_id}}``; "" for all its labels.
        line: where it stands in the file.
    """

    expression: str
    legend: str
    line: int


@dataclass(frozen=True)
class Panel:
    """One picture of a dashboard.

    Attributes:
        row: the heading above it; "" when there is none.
        unit: in Grafana's notation: "ms", "reqps"; "" when it names none.
    """

    title: str
    row: str
    unit: str
    queries: tuple[Query, ...]
    line: int

    @property
    def names(self) -> tuple[str, str]:
        """What it can be called: by its title, and with its row where a title comes twice."""
        return self.title, f"{self.row}: {self.title}"


@dataclass(frozen=True)
class Variable:
    """What stands for ``$name`` in the queries.

    Attributes:
        kind: in Grafana's notation: "query", "custom", "constant".
        asks: where its values come from: ``label_values(METRIC, LABEL)``, or the values.
        is_many: whether it stands for all its values, joined as a regular expression.
    """

    name: str
    kind: str
    asks: str
    is_many: bool
    line: int


@dataclass(frozen=True)
class Dashboard:
    """A dashboard, as its file says it.

    Attributes:
        left_out: panels that the file has and the course does not show, by each of their names,
            with the reason.
    """

    file: Path
    title: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "\n".join([f"{self.title}:", *(f"  {p.title}" for p in self.panels)])

    def panel(self, title: str) -> Panel:
        """Return one panel, by its title, or by ``ROW: TITLE`` where a title comes twice.

        Raises:
            UnknownPanel: there is none, or several; says which there are.
        """
        found = [p for p in self.panels if title in p.names]
        if len(found) == 1:
            return found[0]
        raise UnknownPanel(
            "several panels have this title" if found else "the dashboard has no such panel",
            asked=f"the panel {title!r} of {self.file.name}",
            found=self._found(title, found),
            look_at=str(self.file),
            fix=self._fix(title, found),
        )

    def _found(self, title: str, found: Iterable[Panel]) -> str:
        if lines := ", ".join(f"line {p.line}" for p in found):
            return lines
        if title in self.left_out:
            return f"the course leaves it out: {self.left_out[title]}"
        return "\n".join(p.title for p in self.panels)

    def _fix(self, title: str, found: Iterable[Panel]) -> str:
        if rows := " or ".join(repr(p.names[1]) for p in found):
            return f"write {rows}"
        near = get_close_matches(title, [p.title for p in self.panels], 1)
        return f"write {near[0]!r}" if near else "choose one of its panels"

    def wrong(self, title: str, line: int, asked: str, found: str, fix: str) -> WrongDashboard:
        """Return an error about a line of the file."""
        return _wrong(self.file, line, title, asked, found, fix)


def _wrong(file: Path, line: int, title: str, asked: str, found: str, fix: str) -> WrongDashboard:
    at = f"{file.name}{f', line {line}' if line else ''}"
    return WrongDashboard(
        f"{at}: {title}",
        asked=asked,
        found=found,
        look_at=f"{file}{f':{line}' if line else ''}",
        fix=fix,
    )


# --- reading --------------------------------------------------------------------------------------


def dashboard(named: str | Path) -> Dashboard:
    """Return a dashboard of the course, by its name, or the one of a file.

    Args:
        named: "workflows", which the course has written; "sidecar" or "actor", which are Dapr's,
            with the changes of the course; or the path of a file.

    Raises:
        WrongDashboard: the file is none; names the line.
    """
    return _of_course(str(named)) if named in COURSE else read(Path(named))


@cache
def _of_course(name: str) -> Dashboard:
    """Read one of the course once: its files do not change, and have 2,500 lines."""
    file = COURSE[name]
    return changed(read(file), changes().get(file.name, []))


def read(file: Path) -> Dashboard:
    """Return the dashboard of a file.

    Raises:
        WrongDashboard: it is not JSON, or has no panel with a query; names the line.
    """
    root = _root(file)
    panels = tuple(_panels(root))
    if not panels:
        found = "no panel with a query" if yamltree.find(root, "panels") else "no key panels"
        raise _wrong(file, 1, "this is no dashboard with panels", _asked(file), found, EXPORT)
    listed = _items(_get(_get(root, "templating"), "list"))
    variables = tuple(_variable(one) for one in listed if _text(one, "name"))
    return Dashboard(file, _text(root, "title") or file.stem, panels, variables)


def _asked(file: Path) -> str:
    return f"the dashboard {file.name}"


def _root(file: Path) -> yaml.Node:
    """Return the file as nodes that know their line."""
    title = "this dashboard cannot be read"
    try:
        data = plainfile.read(file, yamltree.MOST_BYTES)
    except OSError as problem:
        raise _wrong(file, 0, title, _asked(file), *plainfile.why_not(problem)) from problem
    try:
        json.loads(data)
        # JSON is YAML but for tabs between values, letters that are written as two halves, and
        # characters that YAML takes only when they are written as a number.
        text = data.decode(json.detect_encoding(data)).replace("\t", " ")
        text = _PAIR.sub(lambda pair: str(json.loads(f'"{pair[0]}"')), text)
        text = _NO_YAML.sub(lambda one: f"\\u{ord(one[0]):04x}", text)
        return next(yamltree.documents(text.encode()))
    except json.JSONDecodeError as problem:
        found = f"it is not valid JSON: {problem.msg}, column {problem.colno}"
        fix = f"correct that line; or {EXPORT}"
        raise _wrong(file, problem.lineno, title, _asked(file), found, fix) from problem
    except yamltree.NotYaml as problem:
        raise _wrong(
            file, problem.line, title, _asked(file), str(problem.problem), EXPORT
        ) from problem
    except RecursionError as problem:
        raise _wrong(file, 1, title, _asked(file), "it is nested too deep", EXPORT) from problem
    except ValueError as problem:
        found = f"it is not valid JSON, nor UTF-8: {problem}"
        raise _wrong(file, 1, title, _asked(file), found, EXPORT) from problem


def _panels(root: yaml.Node) -> Iterator[Panel]:
    """Yield the panels that ask something; those of a row stand below it, or in it."""
    row = ""
    for one in _items(_get(root, "panels")):
        if _text(one, "type") == "row":
            row = _text(one, "title")
        for node in (one, *_items(_get(one, "panels"))):
            queries = tuple(_queries(node))
            if queries:
                yield Panel(_text(node, "title"), row, _unit(node), queries, yamltree.line_of(node))


def _queries(node: yaml.Node) -> Iterator[Query]:
    for target in _items(_get(node, "targets")):
        pair = yamltree.find(target, "expr")
        if pair and _text(target, "expr"):
            legend = _text(target, "legendFormat")
            line = yamltree.line_of(pair[0])
            yield Query(_text(target, "expr"), "" if legend == "__auto" else legend, line)


def _unit(node: yaml.Node) -> str:
    unit = _text(_get(_get(node, "fieldConfig"), "defaults"), "unit")
    axes = _items(_get(node, "yaxes"))  # before Grafana 7
    return unit or (_text(axes[0], "format") if axes else "")


def _variable(node: yaml.Node) -> Variable:
    query = _get(node, "query")
    asks = _text(node, "query") or _text(query, "query") or _text(node, "definition")
    is_many = "true" in (_text(node, "multi"), _text(node, "includeAll"))
    name, kind = _text(node, "name"), _text(node, "type")
    return Variable(name, kind, asks, is_many, yamltree.line_of(node))


def _get(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pair = yamltree.find(node, key)
    return pair[1] if pair else None


def _text(node: yaml.Node | None, key: str) -> str:
    value = _get(node, key)
    is_text = isinstance(value, yaml.ScalarNode) and not yamltree.is_null(value)
    return str(value.value) if value is not None and is_text else ""


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


# --- what the course asks in place of a query -----------------------------------------------------


def changes() -> dict[str, list[dict[str, Any]]]:
    """Return what ``changes.yaml`` says: for each file panels, what is put, and why."""
    return dict(yaml.safe_load(CHANGES.read_text("utf-8")))


def changed(board: Dashboard, listed: Iterable[Mapping[str, Any]]) -> Dashboard:
    """Return a dashboard with the changes of the course; a panel without ``put`` is left out."""
    of_panel = {name: change for change in listed for name in change["panels"]}
    kept: list[Panel] = []
    left_out: dict[str, str] = {}
    for panel in board.panels:
        change = next((of_panel[name] for name in panel.names if name in of_panel), None)
        if change is None:
            kept.append(panel)
        elif "put" in change:
            queries = tuple(_put(query, change["put"]) for query in panel.queries)
            kept.append(replace(panel, queries=queries))
        else:
            left_out |= dict.fromkeys(panel.names, str(change["why"]))
    return replace(board, panels=tuple(kept), left_out=left_out)


def _put(query: Query, put: Mapping[str, str]) -> Query:
    expression, legend = query.expression, query.legend
    for old, new in put.items():
        expression, legend = expression.replace(old, new), legend.replace(old, new)
    return replace(query, expression=expression, legend=legend)


# --- variables ------------------------------------------------------------------------------------


def variables_in(text: str) -> list[str]:
    """Return the names of the variables in a query, in the order in which they stand."""
    return [match[1] or match[2] or match[3] for match in _VARIABLE.finditer(text)]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a query with values in the place of its variables; unknown ones stay."""

    def value(match: re.Match[str]) -> str:
        return values.get(match[1] or match[2] or match[3], match[0])

    return _VARIABLE.sub(value, text)
