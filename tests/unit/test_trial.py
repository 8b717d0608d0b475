"""The counter-scenario: what an app finds that is started as on another machine."""

from __future__ import annotations

import os
import shutil

from labkit.exercises import load
from labkit.exercises.trial import Trial


def test_a_fresh_copy_of_the_files_holds_none_that_a_process_wrote(tmp_path):
    trial = Trial(load("restart-changes-the-plan"))
    trial._started_at = 2000.0
    source = tmp_path / "service"
    (source / "data").mkdir(parents=True)
    saved_at = {"main.py": 1000, "data/rules.json": 1000, "orders.txt": 3000, "own.sqlite": 1000}
    for name, at in saved_at.items():
        (source / name).write_text("-", "utf-8")
        os.utime(source / name, (at, at))
    copy = shutil.copytree(source, tmp_path / "copy", ignore=trial._left_out)
    found = {str(f.relative_to(copy)) for f in copy.rglob("*") if f.is_file()}
    assert found == {"main.py", "data/rules.json"}
