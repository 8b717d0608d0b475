"""Whether the learner's lab runs what is on disk now; a verdict on anything else is unknown."""

from __future__ import annotations

from contextlib import suppress

from labkit.apps.app import App
from labkit.apps.newer import newer
from labkit.course import progress
from labkit.errors import LabError, ObservationError
from labkit.exercises.catalogue import Exercise
from labkit.history import events_of, instance_ids_of
from labkit.labs.attached import Attached


class FilesAreNewer(ObservationError):
    """Files were changed after the lab read them."""

    code = "files-are-newer"


class RunIsOlder(ObservationError):
    """The scenario ran before the files were changed."""

    code = "run-is-older"


class StartedOver(ObservationError):
    """The exercise was reset after the lab was made."""

    code = "exercise-was-reset"


def reason(exercise: Exercise, seen: Attached) -> LabError | None:
    """Return why the lab says nothing about the files as they are now; None when it does."""
    reset = progress.newest("reset", exercise.id)
    if reset is not None and reset.at > float(seen.facts.get("created", 0)):
        return StartedOver(
            "the exercise was reset after this lab was made",
            asked=f"a verdict on {exercise.id}",
            found="the files are those of the beginning, and the lab runs older ones",
            look_at=str(exercise.work),
            fix="run the scenario again: lab = Lab(run_file), then scenario(lab)",
        )
    found = {app.name: app.newer_files() for app in seen.started_apps()}
    found = {app_id: files for app_id, files in found.items() if files}
    if not found:
        return _older_run(exercise, seen)
    app_id, files = next(iter(found.items()))
    return FilesAreNewer(
        f"{files[0]} is newer than what runs",
        asked=f"a verdict on {exercise.id}",
        found=f"changed since {app_id} was started: {', '.join(files[:5])}",
        look_at=str(exercise.work),
        fix="run the scenario again: lab = Lab(run_file), then scenario(lab)",
    )


def _older_run(exercise: Exercise, seen: Attached) -> LabError | None:
    """Return an error when what runs is new, and no workflow was started since the last change."""
    changed = newer([exercise.work], float(seen.facts.get("created", 0)))
    if not changed:
        return None
    last = max(changed, key=lambda file: file.stat().st_mtime)
    begun = [at for app in seen.started_apps() for at in _begun(app)]
    if not begun or max(begun) >= last.stat().st_mtime:
        return None
    name = last.relative_to(exercise.work)
    return RunIsOlder(
        f"{name} was changed after the scenario was run",
        asked=f"a verdict on {exercise.id}",
        found=f"the newest workflow of this lab began before {name} was saved",
        look_at=str(exercise.work),
        fix="run the scenario again: lab = Lab(run_file), then scenario(lab)",
    )


def _begun(app: App) -> list[float]:
    """When the workflows that an app hosts began; none when its sidecar does not answer."""
    address, token = app.grpc_address, app.shared.token
    with suppress(ObservationError):
        ids = [] if app.lacks_actor_store() else instance_ids_of(address, token)
        return [events_of(address, token, app.app_id, i)[0].time.timestamp() for i in ids]
    return []
