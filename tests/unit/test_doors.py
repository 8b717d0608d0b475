"""conda, Binder, the container and pip: each door leads to ``./lab setup``, and pins nothing."""

from __future__ import annotations

import json
import os
import re
import sys

import pytest
import yaml

from labkit import paths, versions

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

REPO = paths.repo()


def text(name: str) -> str:
    return (REPO / name).read_text("utf-8")


def test_every_door_calls_the_set_up():
    assert "./lab setup --here" in text("postBuild")
    assert os.access(REPO / "postBuild", os.X_OK), "Binder runs it"
    assert json.loads(text(".devcontainer/devcontainer.json"))["postCreateCommand"] == "./lab setup"
    assert "./lab setup --here" in text("README.md")
    assert "python -m labkit setup" in text("README.md")


def test_binder_finds_both_of_its_files():
    """With a folder binder/ or .binder/ it would look at neither of those in the root."""
    assert not (REPO / "binder").exists()
    assert not (REPO / ".binder").exists()


def test_no_door_pins_a_package_that_a_lock_pins():
    wanted = yaml.safe_load(text("environment.yml"))["dependencies"]
    assert wanted == [f"python={python_of_the_container()}", "pip", "redis-server"]
    for door in ("environment.yml", "postBuild", ".devcontainer/devcontainer.json"):
        assert versions.DAPR_RUNTIME not in text(door)
        assert versions.PYTHON_SDK not in text(door)


def python_of_the_container() -> str:
    image = json.loads(text(".devcontainer/devcontainer.json"))["image"]
    found = image.rpartition(":")[2]
    assert tuple(map(int, found.split("."))) >= versions.MIN_PYTHON
    return found


def test_pyproject_and_the_table_of_versions_agree():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert {f"dapr=={versions.PYTHON_SDK}", f"dapr-ext-workflow=={versions.PYTHON_SDK}"} <= set(
        project["dependencies"]
    )
    assert project["requires-python"] == ">={}.{}".format(*versions.MIN_PYTHON)
    assert f"OLDEST = {versions.MIN_PYTHON}" in text("lab")


def test_an_installation_holds_every_module_and_the_data_of_labkit():
    setuptools = pytest.importorskip("setuptools")
    settings = tomllib.loads(text("pyproject.toml"))["tool"]["setuptools"]
    include = settings["packages"]["find"]["include"]
    packages = setuptools.find_namespace_packages(str(REPO), include=include)
    data = settings["package-data"]
    for file in (REPO / "labkit").rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            package = ".".join(file.relative_to(REPO).parent.parts)
            assert package in packages, f"{package} would not be installed"
            named = [*data["*"], *data.get(package, ())]
            found = file.suffix == ".py" or any(file.match(pattern) for pattern in named)
            assert found, f"{file.name} would not be installed"
    assert all(re.match(r"labkit(\.|$)", name) for name in packages)
