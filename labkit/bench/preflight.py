"""What preflight costs: a thousand files, and single files that are made to be slow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.bench import median
from labkit.preflight import inspect

FILES, SPACES = 1_000, 10


def measure(runs: int) -> dict[str, Any]:
    """Return seconds for a thousand files (at most 5), and for each hostile file (at most 2)."""
    figures = {f"files_{FILES}_s": median([_folder(thousand()) for _ in range(runs)])}
    for name, text in hostile().items():
        figures[f"{name}_s"] = median([_folder({"a.yaml": text}) for _ in range(runs)])
    return {**figures, "runs": runs}


def _folder(files: Mapping[str, str]) -> float:
    with tempfile.TemporaryDirectory() as name:
        for file, text in files.items():
            Path(name, file).write_text(text, "utf-8")
        began = time.perf_counter()
        inspect([Path(name)])
        return time.perf_counter() - began


def thousand() -> dict[str, str]:
    """A cluster of ten namespaces: half of the files apps, the others what stands beside them."""
    found = {}
    for number in range(FILES // 2):
        space = f"space-{number % SPACES}"
        found[f"app-{number:03}.yaml"] = _app(f"app-{number}", space)
        found[f"more-{number:03}.yaml"] = _beside(f"app-{number}", space, number)
    return found


def _app(name: str, space: str) -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {space}, labels: {{app: {name}}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata:
      labels: {{app: {name}}}
      annotations:
        dapr.io/enabled: "true"
        dapr.io/app-id: {name}
        dapr.io/app-port: "8080"
    spec:
      containers:
        - name: app
          image: example.com/{name}:1.0
          env: [{{name: LEVEL, value: info}}, {{name: PORT, value: "8080"}}]
          resources: {{requests: {{cpu: 100m, memory: 64Mi}}, limits: {{memory: 128Mi}}}}
"""


def _beside(name: str, space: str, number: int) -> str:
    if number % 3:
        ports = "ports: [{port: 80, targetPort: 8080}]"
        head = f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {space}}}\n"
        return f"{head}spec: {{selector: {{app: {name}}}, {ports}}}\n"
    return f"""\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: store-{number}, namespace: {space}}}
spec:
  type: state.redis
  version: v1
  metadata:
    - {{name: redisHost, value: "redis:6379"}}
    - {{name: actorStateStore, value: "{str(number < SPACES * 3).lower()}"}}
"""


def hostile() -> dict[str, str]:
    """Files that a naive reader would take minutes or gigabytes for."""
    bomb = ["a0: &a0 {x: 1, y: 2}"]
    bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    merged = ["m0: &m0 {x: 1}"]
    merged += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    head = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: x}\n"
    rows = [f"      a{n}: {{retry: r, timeout: t}}" for n in range(40_000)]
    documents = ["kind: Pod\nmetadata: {name: a}\n"] * 40_000
    return {
        "aliases": "\n".join([*bomb, head + "spec: {policies: *a9, targets: *a9}\n"]),
        "merged": "\n".join([*merged, head + "spec: *m9\n"]),
        "deep": "[" * 400_000,
        "many_keys": head + "spec:\n  policies: {}\n  targets:\n    apps:\n" + "\n".join(rows),
        "many_documents": "---\n".join(documents),
        "one_line": "a: " + "x" * 3_900_000,
        "too_large": "# a comment\n" * 400_000,
    }
