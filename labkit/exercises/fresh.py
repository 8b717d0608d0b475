"""Whether the learner's lab runs what is on disk now; a verdict on anything else is unknown."""

from __future__ import annotations

from labkit import progress
from labkit.attached import Attached
from labkit.errors import LabError, ObservationError
from labkit.exercises.catalogue import Exercise


class FilesAreNewer(ObservationError):
    """Files were changed after the lab read them."""

    code = "files-are-newer"


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
    newer = {app.app_id: app.newer_files() for app in seen.started_apps()}
    newer = {app_id: files for app_id, files in newer.items() if files}
    if not newer:
        return None
    app_id, files = next(iter(newer.items()))
    return FilesAreNewer(
        f"{files[0]} is newer than what runs",
        asked=f"a verdict on {exercise.id}",
        found=f"changed since {app_id} was started: {', '.join(files[:5])}",
        look_at=str(exercise.work),
        fix="run the scenario again: lab = Lab(run_file), then scenario(lab)",
    )
