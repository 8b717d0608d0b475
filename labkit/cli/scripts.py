"""Checks the types of ``lab`` and of the services, one after the other.

All services have a ``main.py``, so mypy cannot take them together.
"""

from __future__ import annotations

from pathlib import Path

from labkit import paths


def scripts() -> list[Path]:
    """Return the Python files that belong to no package and no test."""
    own = (f for f in (paths.repo() / "services").rglob("*.py") if ".venv" not in f.parts)
    return [paths.repo() / "lab", *sorted(own)]


def main() -> int:
    """Print what mypy finds; exit code 1 when it finds something."""
    from mypy import api

    failed = False
    for script in scripts():
        out, errors, code = api.run(["--no-error-summary", "--scripts-are-modules", str(script)])
        print(out + errors, end="")
        failed |= code != 0
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
