"""The reader of run files: reads as much as it can, and collects what is wrong."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from labkit.reading import plainfile, yamltree
from labkit.reading.yamltree import Effect, Given, NotYaml, WrongNode, cut, shown
from labkit.runfile.keys import ALLOWED, APP, COMMON, IN_ANY_CASE, PORTS, SIZE, SIZES, TOP
from labkit.runfile.spec import AppSpec

MOST_APPS = 100
"""Apps of one run file; a lab has ports for a dozen."""
_APP_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")
_APP_ID_FIX = "use letters, digits, - and _, 63 at most"
_CUTS = {",": "a comma", '"': "a quotation mark", "\n": "a line break", "\r": "a line break"}


@dataclass(frozen=True)
class Fault:
    """Something in a run file that is wrong.

    Attributes:
        line: from 1; 0 where the file could not be read.
        effect: what ``dapr run -f`` does with it.
        is_fine_in_a_lab: only ``dapr run`` has trouble with it.
    """

    what: str
    line: int
    fix: str
    effect: Effect = "refused"
    is_fine_in_a_lab: bool = False


@dataclass(frozen=True)
class Reading:
    """What could be read of a run file.

    Attributes:
        apps: those that have a folder; where there are faults, as ``dapr run`` would take them.
        faults: in the order of their lines.
    """

    path: Path
    apps: tuple[AppSpec, ...]
    faults: tuple[Fault, ...]


def read(path: Path) -> Reading:
    """Read a run file. Only the first document of the file counts, as with ``dapr run -f``."""
    full = path.absolute()
    try:
        root = next(yamltree.documents(plainfile.read(full, yamltree.MOST_BYTES)), None)
    except OSError as problem:
        what, fix = plainfile.why_not(problem)
        return Reading(full, (), (Fault(what, 0, fix),))
    except NotYaml as wrong:
        effect: Effect = "doubtful" if wrong.is_bound else "refused"
        return Reading(full, (), (Fault(wrong.what, wrong.line, wrong.fix, effect),))
    return read_root(full, root)


def read_root(path: Path, root: yaml.Node | None) -> Reading:
    """Read a run file of which the first document is known already.

    Args:
        path: the file, absolute.
    """
    if not isinstance(root, yaml.MappingNode):
        found = "it is empty" if root is None or yamltree.is_null(root) else f"it is {shown(root)}"
        fix = "start it with the lines: version: 1, and apps:"
        return Reading(path, (), (Fault(f"{found}, not a map of keys", 1, fix),))
    reader = _Reader(path)
    apps = reader.read(root)
    once = dict.fromkeys(sorted(reader.faults(), key=lambda fault: fault.line))
    return Reading(path, tuple(apps), tuple(once))


@dataclass(frozen=True)
class _Shared:
    """What ``common`` says."""

    given: Mapping[str, Given]
    resources: tuple[Path, ...]
    config: Path | None


class _Reader:
    def __init__(self, path: Path) -> None:
        self.here = path.parent
        self.there: dict[tuple[Path, str, str], Path] = {}  # what was looked for and found
        self.wrong: list[WrongNode] = []
        self.fine_in_a_lab: list[WrongNode] = []
        self.ports: dict[int, tuple[str, str]] = {}  # who has it first: key, app ID

    def faults(self) -> Iterable[Fault]:
        """What was found to be wrong."""
        for one in self.wrong:
            yield Fault(one.what, one.line, one.fix, one.effect)
        for one in self.fine_in_a_lab:
            yield Fault(one.what, one.line, one.fix, one.effect, is_fine_in_a_lab=True)

    def read(self, root: yaml.Node) -> list[AppSpec]:
        top = yamltree.pairs(root, TOP, "the run file", self.wrong)
        if not _value(top, "version"):
            self._missing("version", "the run file", root, "add the line: version: 1")
        entries = self._entries(top, root)
        common = top["common"].node if "common" in top else None
        given = yamltree.pairs(common, COMMON, "common", self.wrong)
        self._check_env(given)
        shared = _Shared(given, self._resources(given, self.here), self._config(given, self.here))
        apps = [app for entry in entries if (app := self._app(entry, shared))]
        self._check_app_ids(apps, entries)
        return apps

    def _entries(self, top: Mapping[str, Given], root: yaml.Node) -> list[yaml.Node]:
        node = top["apps"].node if "apps" in top else None
        entries: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else []
        if not entries:
            fix = "add the key apps with one entry per app"
            self._missing("apps", "the run file", node or root, fix)
        if len(entries) > MOST_APPS:
            what, fix = f"it names {len(entries):,} apps", f"name {MOST_APPS} at most"
            self._add(what, entries[MOST_APPS], fix, "doubtful")
        return entries[:MOST_APPS]

    def _app(self, entry: yaml.Node, shared: _Shared) -> AppSpec | None:
        since = len(self.wrong)
        own = yamltree.pairs(entry, APP, "an app", self.wrong)
        if not _value(own, "appDirPath"):
            self._missing("appDirPath", "an app", entry, "add: appDirPath: FOLDER", since)
            return None
        given = {k: g for part in (shared.given, own) for k, g in part.items() if g.value}
        for key, value in given.items():
            self._check_value(key, value)
        self._check_env(own)
        app = self._spec(own, given, shared, entry)
        self._check_app_id(app, own)
        self._check_ports(app, own)
        self._check_flags(app, entry)
        return app

    def _spec(
        self,
        own: Mapping[str, Given],
        given: Mapping[str, Given],
        shared: _Shared,
        entry: yaml.Node,
    ) -> AppSpec:
        text, at = own["appDirPath"].value, own["appDirPath"].node
        folder = self._path(self.here, text, at, "folder") or _absolute(self.here, text)
        by_convention = folder / ".dapr" / "resources"
        named = self._resources(own, folder)
        default = (by_convention,) if _is_there(by_convention) else shared.resources
        return AppSpec(
            app_id=_value(own, "appID") or folder.name,
            folder=folder,
            command=tuple(_value(given, "command") or ()),
            env={**(_value(shared.given, "env") or {}), **(_value(own, "env") or {})},
            resources=named or default,
            config=self._config(own, folder) or _config_by_convention(folder) or shared.config,
            settings={k: g.value for k, g in given.items()},
            lines=_lines(entry, own, given),
        )

    def _resources(self, given: Mapping[str, Given], base: Path) -> tuple[Path, ...]:
        many = given["resourcesPaths"].items if "resourcesPaths" in given else []
        one = given.get("resourcesPath")
        places = [*many, (one.value, one.node)] if one else many
        found = [self._path(base, text, node, "folder") for text, node in places if text]
        return tuple(path for path in found if path)

    def _config(self, given: Mapping[str, Given], base: Path) -> Path | None:
        file = given.get("configFilePath")
        return self._path(base, file.value, file.node, "file") if file and file.value else None

    # --- what is wrong ---------------------------------------------------------------------------

    def _add(self, what: str, node: yaml.Node, fix: str, effect: Effect = "refused") -> None:
        self.wrong.append(WrongNode(what, node, fix, effect))

    def _missing(self, key: str, where: str, node: yaml.Node, fix: str, since: int = 0) -> None:
        """Say that a key is missing, unless what was found since then says why."""
        for one in self.wrong[since:]:
            if one.fix == f"write {key}":  # misspelt, so the CLI refuses the file after all
                one.effect = "refused"
                return
            if one.node is node or one.what.startswith(f"{key} "):
                return
        self._add(f"{where} has no {key}", node, fix)

    def _check_value(self, key: str, given: Given) -> None:
        allowed = ALLOWED.get(key)
        value = given.value.lower() if key in IN_ANY_CASE else given.value
        if allowed and value not in allowed:
            fix = f"use one of: {', '.join(allowed)}"
            self._add(f"{key} is {cut(given.value)!r}", given.node, fix)
        if key in SIZES and not SIZE.fullmatch(value):
            self._add(f"{key} is {cut(value)!r}", given.node, "write a size such as 4Mi or 512Ki")
        if key.endswith("Port") and given.value > 65535:
            self._add(f"{key} is {given.value}", given.node, "use a port up to 65535")

    def _check_env(self, given: Mapping[str, Given]) -> None:
        for name in _value(given, "env") or {}:
            if not name or "=" in name:  # no program can be given it under that name
                found = yamltree.find(given["env"].node, name)
                node = found[0] if found else given["env"].node
                what = f"a variable is called {cut(name)!r}"
                self._add(what, node, "write NAME: value, in env", "doubtful")

    def _check_app_id(self, app: AppSpec, own: Mapping[str, Given]) -> None:
        node = own["appID" if _value(own, "appID") else "appDirPath"].node
        named = "the app ID" if _value(own, "appID") else "without appID, the folder is the app ID:"
        if "." in app.app_id:  # validation.go:45, and measured on 1.18.1
            what = f"{named} {cut(app.app_id)!r} has a dot, which no sidecar accepts"
            self._add(what, node, _APP_ID_FIX)
        elif not _APP_ID.fullmatch(app.app_id):
            self._add(f"{named} {cut(app.app_id)!r} cannot be used", node, _APP_ID_FIX, "doubtful")

    def _check_ports(self, app: AppSpec, own: Mapping[str, Given]) -> None:
        """Name a port that two keys have; two apps may both call one service at its ``appPort``.

        The CLI refuses one that a running app has, and a sidecar ends where one of its own is the
        ``appPort``: "conflicts with 'app-port'" (measured on 1.18.1).
        """
        for key in PORTS:
            port = _value(own, key) or 0
            mine = next((k for k in PORTS if k != key and _value(own, k) == port), None)
            first, of = self.ports.setdefault(port, (key, app.app_id))
            if mine is not None and PORTS.index(mine) < PORTS.index(key):
                first, of = mine, app.app_id  # what is sure goes before what may be
            if port <= 0 or (first, of) == (key, app.app_id) or first == key == "appPort":
                continue
            what = f"port {port} is {key} of {cut(app.app_id)} and {first} of {cut(of)}"
            is_services = "appPort" in (key, first) and of != app.app_id
            effect: Effect = "doubtful" if is_services else "refused"
            self._add(what, own[key].node, "give each a port of its own", effect)

    def _check_app_ids(self, apps: Iterable[AppSpec], entries: list[yaml.Node]) -> None:
        seen = set[str]()
        by_line = {yamltree.line_of(entry): entry for entry in entries}
        for app in apps:
            if app.app_id in seen:
                what = f"two apps have the app ID {cut(app.app_id)!r}"
                fix = "give each app an appID of its own"
                self._add(what, by_line[app.lines["app"]], fix, "doubtful")
            seen.add(app.app_id)

    def _check_flags(self, app: AppSpec, entry: yaml.Node) -> None:
        """Name paths that do not survive as a flag of the sidecar, unless they are quoted.

        daprd takes both flags as comma-separated values (cmd/daprd/options/options.go:138); the
        CLI does not quote them, a lab does (measured on 1.18.1).
        """
        for path in [*app.resources, *([app.config] if app.config else [])]:
            sign = next((word for sign, word in _CUTS.items() if sign in str(path)), None)
            if sign:
                what = f"the path {cut(str(path), 200)!r} holds {sign}, where the sidecar cuts it"
                fix = "rename the folder; a lab can use it as it is"
                self.fine_in_a_lab.append(WrongNode(what, entry, fix))

    def _path(
        self, base: Path, text: str, node: yaml.Node, kind: Literal["file", "folder"]
    ) -> Path | None:
        """Make a path absolute; None, and a fault, when what it should name is not there."""
        known = self.there.get((base, text, kind))
        if known:
            return known
        full = _absolute(base, text)
        why = _why_not(full, text, kind)
        if why:
            start = f"starts at {cut(str(base), 200)}"
            start = (
                f"one that is not absolute {start}" if Path(text).is_absolute() else f"it {start}"
            )
            fix = f"make it, or correct the path ({start})"
            self._add(why, node, fix)
            return None
        return self.there.setdefault((base, text, kind), full)


def _why_not(full: Path, text: str, kind: str) -> str:
    """Why a path does not name a file or folder; "" when it does."""
    try:
        mode = full.stat().st_mode
    except (OSError, ValueError) as problem:
        if getattr(problem, "errno", 0) in (errno.ENOENT, errno.ENOTDIR):
            return f"there is no {cut(text)}"
        return f"{cut(text)}: {getattr(problem, 'strerror', None) or 'it is not a path'}"
    is_right = stat.S_ISDIR(mode) if kind == "folder" else stat.S_ISREG(mode)
    return "" if is_right else f"{cut(text)} is not a {kind}"


def _absolute(base: Path, text: str) -> Path:
    """Make a path absolute as the CLI does: by its text alone, so a link keeps its own name."""
    home = os.environ.get("HOME", "")
    full = home + text[1:] if text.startswith("~/") and home else text
    return Path(full if full.startswith("/") and full == text else os.path.normpath(base / full))


def _lines(
    entry: yaml.Node, own: Mapping[str, Given], given: Mapping[str, Given]
) -> dict[str, int]:
    """The lines of an app; see AppSpec."""
    places = own if _value(own, "resourcesPaths") or _value(own, "resourcesPath") else given
    resources = places.get("resourcesPaths") or places.get("resourcesPath")
    namespace = yamltree.find(own["env"].node, "NAMESPACE") if "env" in own else None
    nodes = {
        "app": entry,
        "command": given["command"].node if "command" in given else None,
        "config": given["configFilePath"].node if "configFilePath" in given else None,
        "resources": resources.node if resources else None,
        "NAMESPACE": namespace[0] if namespace else None,
    }
    return {name: yamltree.line_of(node) for name, node in nodes.items() if node}


def _value(given: Mapping[str, Given], key: str) -> Any:
    return given[key].value if key in given else None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _config_by_convention(folder: Path) -> Path | None:
    file = folder / ".dapr" / "config.yaml"
    return file if _is_there(file) else None
