"""Reads the YAML files of the course itself: syllabus, exercises, questions.

They are many and read often, so the parser in C is used where PyYAML has it: 49 exercises take
0.03 s with it, 0.27 s without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(file: Path) -> Any:
    """Return what a file of the course says.

    Raises:
        yaml.YAMLError: it is not valid YAML.
    """
    return yaml.load(file.read_text("utf-8"), Loader=LOADER)
