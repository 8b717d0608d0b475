"""Loads a service again, to run its workflow code without its worker."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

import dapr.ext.workflow as wf

from labkit.errors import ObservationError

_MODULE = "service_under_replay"


class NoService(ObservationError):
    """A file that should be a service is not there, or is not one."""

    code = "no-service"


def runtime_of(file: Path) -> wf.WorkflowRuntime:
    """Load a service again and return its ``wfr``; nothing is started.

    Modules beside the file are found as they are when it is run, and are loaded again, too. Where
    the file itself starts its worker, loading ends.

    Raises:
        NoService: there is no such Python file, or it has no runtime.
    """
    file = Path(file)
    if not file.is_file() or file.suffix != ".py":
        found = "not a Python file" if file.is_file() else "no such file"
        raise _no_service(file, found, str(file.parent))
    with _beside(file.resolve().parent), _not_started():
        module = _loaded(file)
    named = getattr(module, "wfr", None)
    if isinstance(named, wf.WorkflowRuntime):
        return named
    runtimes = {id(v): v for v in vars(module).values() if isinstance(v, wf.WorkflowRuntime)}
    if len(runtimes) != 1:
        found = f"{len(runtimes) or 'no'} WorkflowRuntime at the top level of the file"
        raise _no_service(file, found, str(file))
    return next(iter(runtimes.values()))


def _loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(_MODULE, file)
    assert spec is not None, "the file ends in .py"
    assert spec.loader is not None, "it is a plain file"
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module  # dataclasses and annotations look for their module there
    try:
        with suppress(_Started):
            spec.loader.exec_module(module)
    except SystemExit as problem:
        found = f"it ends itself while it is loaded, with exit code {problem.code}"
        raise _no_service(file, found, str(file)) from problem
    return module


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Find modules in ``folder`` first; forget them afterwards, as another service has its own."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before - {_MODULE}:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(f"{folder}/"):
                del sys.modules[name]


class _Started(BaseException):
    """The file would start its worker now: all that it registers is registered."""


@contextmanager
def _not_started() -> Iterator[None]:
    def started(self: object) -> None:
        raise _Started

    start = wf.WorkflowRuntime.start
    wf.WorkflowRuntime.start = started  # type: ignore[method-assign] # for the time of the load
    try:
        yield
    finally:
        wf.WorkflowRuntime.start = start  # type: ignore[method-assign]


def _no_service(file: Path, found: str, look_at: str) -> NoService:
    fix = 'give the path of a main.py, e.g. paths.repo() / "services" / APP_ID / "main.py"'
    if "WorkflowRuntime" in found:
        fix = "name the one that has the workflows wfr"
    return NoService(
        "there is no service to replay with",
        asked=f"the WorkflowRuntime of the Python file {file}",
        found=found,
        look_at=look_at,
        fix=fix,
    )
