"""Small manifests and run files, and findings by what they say."""

from __future__ import annotations

from pathlib import Path

from labkit.preflight import Finding

SDK = "import dapr.ext.workflow as wf\nwfr = wf.WorkflowRuntime()\n"


def broken(found: list[Finding]) -> list[str]:
    return [f.requirement for f in found if f.state == "broken"]


def about(found: list[Finding], requirement: str) -> list[Finding]:
    return [f for f in found if f.requirement == requirement]


def line_of(finding: Finding) -> str:
    """The line of the file that a finding points to."""
    file, _, line = finding.where.rpartition(":")
    return Path(file).read_text().splitlines()[int(line) - 1].strip()


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def app(name: str, namespace: str = "tasks", extra: str = "") -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
spec:
  template:
    metadata:
      annotations:
        dapr.io/enabled: "true"
        dapr.io/app-id: {name}
{extra}"""


def store(name: str = "statestore", value: str = '"true"', more: str = "") -> str:
    return f"""\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: {name}, namespace: tasks}}
{more}
spec:
  type: state.redis
  version: v1
  metadata:
    - {{name: actorStateStore, value: {value}}}
"""


def local_store(folder: Path, **how: str) -> Path:
    """A folder of components with one store that names no namespace."""
    folder.mkdir(parents=True, exist_ok=True)
    return write(folder, store=store(**how).replace(", namespace: tasks", ""))


def run_file(folder: Path, *apps: str, common: str = "resourcesPath: ./components") -> Path:
    """A run file; each app is ``name`` or ``name: more, lines``, and has a folder of its name."""
    lines = ["version: 1", f"common: {{{common}}}", "apps:"]
    for text in apps:
        name, _, more = text.partition(":")
        (folder / name).mkdir(exist_ok=True)
        lines += [f"  - appID: {name}", f"    appDirPath: {name}"]
        lines += [f"    {part.strip()}" for part in more.split(";") if part]
    local_store(folder / "components")
    file = folder / "dapr.yaml"
    file.write_text("\n".join(lines) + "\n")
    return file


def worker(folder: Path, code: str, name: str = "main.py") -> Path:
    """A Python source in the folder of an app."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(SDK + code)
    return folder / name


def states(found: list[Finding], requirement: str = "names") -> list[str]:
    return [f.state for f in about(found, requirement)]


def calling(call: str) -> str:
    """A workflow that makes one call."""
    return f"@wfr.workflow\ndef w(ctx, x):\n    yield ctx.{call}\n"
