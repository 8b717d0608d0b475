"""The files of an incident: a system with its faults, and with changes that do no harm.

The faults are the edits of the break labs. Whatever else break labs of the same system add to make
it whole (another store, a helper, a setting) is added as well, where it fits: so a comparison with
the services of the course shows many differences, and most of them are right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from labkit import paths
from labkit.exercises import deployment
from labkit.exercises.catalogue import Edit, Exercise
from labkit.exercises.deployment import EditDoesNotFit, edited
from labkit.incidents.faults import Fault, faults
from labkit.incidents.systems import SYSTEMS, System
from labkit.workfiles import folder_of, run_file_text

NAME = "incident"
"""The folder below ``learn/files``; it must not say what the incident is."""
LOSSLESS = "surrogateescape"
TEXTS = (".py", ".yaml", ".sh")
NOT_SHARED = {"the-worker-goes-down"}
"""Whole deployments that an order of the load would hurt: in this one it ends a service thrice."""
Texts = Mapping[str, str]


def system_of(fault: Fault) -> System:
    """Return the system on which a fault can be put."""
    return SYSTEMS[fault.exercise.services]


def exercise_of(fault: Fault) -> Exercise:
    """Return the break lab of a fault, about the files of the incident in place of its own."""
    return replace(fault.exercise, id=NAME)


def folder() -> Path:
    """Return where the files of the incident are."""
    return paths.work() / NAME


def prepare(chosen: Iterable[Fault]) -> Path:
    """Write the files of an incident into a folder that does not exist yet; return the run file."""
    chosen = list(chosen)
    system = system_of(chosen[0])
    run_file = _copied(system, chosen)
    write(run_file.parent, edited_texts(read(run_file.parent), chosen))
    return run_file


def write(base: Path, texts: Texts) -> None:
    """Write the texts of a deployment; a file that is as it should be is not touched."""
    for name, text in texts.items():
        file = base / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or _text(file) != text:
            file.write_text(text, "utf-8", LOSSLESS)


def read(base: Path) -> dict[str, str]:
    """Return the texts of a deployment by their paths in it."""
    named = sorted(f for f in base.rglob("*") if f.suffix in TEXTS and ".venv" not in f.parts)
    # An editor's lock file is a link to nowhere; a pipe would never end.
    return {str(f.relative_to(base)): _text(f) for f in named if f.is_file()}


def _text(file: Path) -> str:
    """The text of a file, also of one that is not UTF-8: its bytes come back as they were."""
    return file.read_text("utf-8", LOSSLESS)


def edited_texts(texts: Texts, chosen: Iterable[Fault]) -> dict[str, str]:
    """Return the texts of a system with faults, and with what does no harm.

    Raises:
        EditDoesNotFit: two faults change the same lines.
    """
    chosen = list(chosen)
    texts = applied(texts, system_of(chosen[0]).edits)
    broken = applied(texts, (e for f in chosen for e in f.exercise.fault))
    for edits in _harmless(chosen):
        with suppress(EditDoesNotFit):
            more = applied(broken, edits)
            _require_answers(more, chosen)
            broken = more
    return broken


def repaired(texts: Texts, fault: Fault) -> dict[str, str]:
    """Return the texts after the repair of the reference."""
    return applied(texts, fault.repair)


def repaired_or_same(texts: Texts, fault: Fault) -> dict[str, str]:
    """Return the texts after the repair; as they are where somebody has changed those lines."""
    with suppress(EditDoesNotFit):
        return repaired(texts, fault)
    return dict(texts)


def applied(texts: Texts, edits: Iterable[Edit]) -> dict[str, str]:
    """Return texts after edits.

    Raises:
        EditDoesNotFit: what an edit looks for is not found once.
    """
    found = dict(texts)
    for one in edits:
        before = found.get(one.file, "")
        found[one.file] = one.put if one.find is None else edited(before, one, Path(one.file))
    return found


def fit(chosen: Iterable[Fault]) -> bool:
    """Whether these faults can be there at once, and be repaired one after the other."""
    chosen = list(chosen)
    if len({f.exercise.services for f in chosen}) > 1 or len({f.cause for f in chosen}) < 2:
        return False
    texts = originals(system_of(chosen[0]))
    with suppress(EditDoesNotFit):
        broken = applied(texts, (e for f in chosen for e in f.exercise.fault))
        for order in (chosen, chosen[::-1]):
            applied(broken, (e for f in order for e in f.repair))
        return True
    return False


def _harmless(chosen: Iterable[Fault]) -> Iterator[tuple[Edit, ...]]:
    """Yield what the whole deployments of other break labs have besides the services."""
    chosen = list(chosen)
    names = {f.id for f in chosen} | NOT_SHARED
    for other in (f for f in faults().values() if f.is_drawn):
        if other.exercise.services == chosen[0].exercise.services and other.id not in names:
            own = tuple(e for e in other.exercise.healthy)
            if own:
                yield own


def _require_answers(texts: Texts, chosen: Iterable[Fault]) -> None:
    for fault in chosen:
        applied(texts, fault.repair)
        applied(texts, fault.exercise.alternative)


def _copied(system: System, chosen: Iterable[Fault]) -> Path:
    """Copy the apps of a system; settings that a fault needs are there as well."""
    env = dict(system.env)
    for fault in chosen:
        env |= fault.exercise.env if fault.exercise.fault else {}
    base = replace(
        next(iter(chosen)).exercise,
        id=NAME,
        apps=system.apps,
        env=env,
        services=system.services,
        components="default",
    )
    return deployment.prepare(base, ())


def originals(system: System) -> dict[str, str]:
    """Return the texts of a system as the course has it, without a copy on disk."""
    found: dict[str, str] = {}
    for app_id in system.apps:
        own = read(folder_of(app_id, system.services))
        found |= {f"{app_id}/{name}": text for name, text in own.items()}
    components = read(paths.repo() / "components" / "default")
    found |= {f"components/{name}": text for name, text in components.items()}
    found["dapr.yaml"] = run_file_text(system.apps, system.services, system.env)
    return found
