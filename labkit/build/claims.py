"""The claims ledger: what the source documents say, and what we see. Makes ``docs/claims.md``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from labkit import paths, versions
from labkit.course import progress

VERDICTS = ("holds", "holds partly", "does not hold")
SOURCES = {
    "lesson": "[Multi-App Workflows](https://agentfactory.panaversity.org/docs/"
    "Deploying-Agent-Factories-in-the-Cloud/dapr-actors-workflows/multi-app-workflows),"
    " a lesson without exercises",
    "docs": "[Multi Application Workflows](https://docs.dapr.io/developing-applications/"
    "building-blocks/workflow/workflow-multi-app/), a page of the Dapr documentation",
    "runtime": "dapr/dapr, what the runtime says of access policies in its code",
    "sdk": "dapr-ext-workflow, what the Python SDK says of itself in its code",
}


def claims() -> list[dict[str, Any]]:
    """Return all claims, in order."""
    return list(yaml.safe_load((paths.repo() / "authoring" / "claims.yaml").read_text("utf-8")))


def page() -> str:
    """Return the page that readers see."""
    told = claims()
    counts = Counter(c["verdict"] for c in told)
    lines = [
        "# What the documents say, and what we see",
        "",
        "Made by `./lab build` from `authoring/claims.yaml`. Measured on Dapr "
        f"{versions.DAPR_RUNTIME} with the Python SDK {versions.PYTHON_SDK}. "
        f"{len(told)} claims: " + ", ".join(f"{counts[v]} {v}" for v in VERDICTS) + ".",
    ]
    for source, title in SOURCES.items():
        lines += ["", f"## {title}", ""]
        lines += ["| claim | verdict | what we see | shown by |", "|---|---|---|---|"]
        lines += [_row(c) for c in told if c["source"] == source]
    return "\n".join(lines) + "\n"


def problems() -> Iterator[str]:
    """Yield what is wrong: a claim without a proof, an unknown verdict, a page that drifted."""
    seen: set[str] = set()
    for claim in claims():
        id = claim["id"]
        if id in seen or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id):
            yield f"the claim {id!r} has no id of its own"
        seen.add(id)
        if claim["verdict"] not in VERDICTS or claim["source"] not in SOURCES:
            yield f"the claim {id!r} has an unknown verdict or source"
        if not _exists(claim["proof"]):
            yield f"the claim {id!r} has no proof: {claim['proof']}"
    file = target()
    if not file.exists() or file.read_text("utf-8") != page():
        yield "docs/claims.md differs from authoring/claims.yaml; run ./lab build pages"


def target() -> Path:
    """Return the file of the page."""
    return paths.repo() / "docs" / "claims.md"


def _exists(proof: dict[str, str]) -> bool:
    ((kind, name),) = proof.items()
    authoring = paths.repo() / "authoring"
    if kind == "lesson":
        return progress.lesson_named(name) is not None
    if kind == "exercise":
        return (authoring / "exercises" / name / "check.py").exists()
    file, _, test = name.partition("::")
    full = paths.repo() / file
    return full.exists() and f"def {test}(" in full.read_text("utf-8")


def _row(claim: dict[str, Any]) -> str:
    ((kind, name),) = claim["proof"].items()
    slug = progress.lesson_named(name) or ""
    shown = {
        "lesson": f"[lesson {slug[:2]}](../lessons/{slug}.ipynb)",
        "exercise": f"[{name}](../exercises/{name}.ipynb)",
        "test": f"[a test](../{name.partition('::')[0]})",
    }[kind]
    return f"| {claim['claim']} | {claim['verdict']} | {claim['seen']} | {shown} |"
