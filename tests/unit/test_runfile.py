"""Run files as ``dapr run -f`` reads them, and wrong ones with key and line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import paths
from labkit.errors import LabError
from labkit.runfile import RunFileError, cli_env, daprd_flags, load


def write(folder: Path, text: str) -> Path:
    for name in ("web", "web/own", "shared", "res"):
        (folder / name).mkdir(exist_ok=True)
    file = folder / "dapr.yaml"
    file.write_text(text)
    return file


FULL = """\
version: 1
common:
  resourcesPath: ./res
  logLevel: debug
  appMaxConcurrency: 5
  env:
    A: common
    B: 1
apps:
  - appDirPath: ./web/
    appPort: 8080
    resourcesPaths: [./own, ../shared]
    command: ["python3", "app.py", 1]
    env:
      A: own
      C: true
  - appID: second
    appDirPath: web
    logLevel: warn
    enableApiLogging: true
"""


def test_what_an_app_says_beats_what_all_say(tmp_path):
    one, two = load(write(tmp_path, FULL)).apps
    assert (one.app_id, two.app_id) == ("web", "second")
    assert one.env == {"A": "own", "B": "1", "C": "true"}
    assert two.env == {"A": "common", "B": "1"}
    assert one.resources == (tmp_path / "web" / "own", tmp_path / "shared")
    assert two.resources == (tmp_path / "res",)
    assert one.command == ("python3", "app.py", "1")
    assert one.app_port == 8080
    assert two.app_port is None
    assert "--app-port" in daprd_flags(one)
    flags = daprd_flags(two)
    assert flags[flags.index("--log-level") + 1] == "warn"
    assert flags[flags.index("--app-max-concurrency") + 1] == "5"


def test_resources_and_configuration_inside_the_app_are_found(tmp_path):
    (tmp_path / "web" / ".dapr" / "resources").mkdir(parents=True)
    (tmp_path / "web" / ".dapr" / "config.yaml").write_text("")
    (spec, _) = load(write(tmp_path, FULL.replace("resourcesPaths: [./own, ../shared]", ""))).apps
    assert spec.resources == (tmp_path / "web" / ".dapr" / "resources",)
    assert spec.config == tmp_path / "web" / ".dapr" / "config.yaml"


def test_the_run_file_of_the_course_names_its_four_apps_and_no_port():
    apps = load(paths.repo() / "services" / "dapr.yaml").apps
    assert len(apps) == 4
    assert {a.app_id for a in apps} == {a.folder.name for a in apps}
    assert all(a.app_port is None and a.dapr_http_port is None for a in apps)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("version: 1\napps:\n  - appDirPath: web\n    apID: x\n", 4, "appID"),
        ("version: 1\ncomon: {}\napps: [{appDirPath: web}]\n", 2, "common"),
        ("apps:\n  - appDirPath: web\n", 1, "version: 1"),
        ("version: 1\napps: []\n", 2, "apps"),
        ("version: 1\napps:\n  - appID: x\n", 3, "appDirPath"),
        ("version: 1\napps:\n  - appDirPath: nowhere\n", 3, "nowhere"),
        ("version: 1\napps:\n  - appDirPath: web\n    appPort: many\n", 4, "whole number"),
        ("version: 1\napps:\n  - appDirPath: web\n    appPort: 70000\n", 4, "65535"),
        ("version: 1\napps:\n  - appDirPath: web\n    command: python\n", 4, "command: [VALUE"),
        ("version: 1\napps:\n  - appDirPath: web\n  - appDirPath: web\n", 4, "appID"),
        ('version: 1\napps:\n  - appDirPath: web\n    appPort: "80"\n', 4, "whole number"),
        (
            "version: 1\napps:\n  - appDirPath: web\n    enableApiLogging: 1\n",
            4,
            "enableApiLogging: true or",
        ),
        ("version: 1\napps:\n  - appDirPath: web\n    env:\n      A: 1\n      B: [1]\n", 6, "text"),
        ("version: 1\napps:\n  - appDirPath: web\n    env: [A: 1]\n", 4, "env: {NAME: value}"),
        ("version: 1\napps:\n  - appDirPath: web\n    appLogDestination: no\n", 4, "console"),
        ("version: 1\ncommon:\n  daprdLogDestination: x\napps: [{appDirPath: web}]\n", 3, "file"),
        ("version: 1\napps:\n  - appDirPath: web\n    containerImagePullPolicy: x\n", 4, "Always"),
        (
            "version: 1\napps:\n  - appDirPath: web\n    resourcesPaths:\n    - own\n    - no\n",
            6,
            "no",
        ),
        ("version: 1\ncommon:\n  configFilePath: no\napps: [{appDirPath: web}]\n", 3, "no"),
        ("version: 1\ncommon: {<<: 1}\napps: [{appDirPath: web}]\n", 2, "map"),
        ("version: 1\ncommon: &c {<<: *c}\napps: [{appDirPath: web}]\n", 1, "alias"),
        ("version: 1\napps:\n  - appDirPath: web\n    logLevel: [a]\n", 4, "logLevel: TEXT"),
        ("- a\n", 1, "version"),
        ("a: [\n", 2, "correct"),
    ],
)
def test_a_wrong_one_names_line_and_key(tmp_path, text, line, word):
    with pytest.raises(RunFileError) as caught:
        load(write(tmp_path, text))
    error = caught.value
    assert error.look_at.endswith(f"dapr.yaml:{line}")
    assert word in str(error)
    assert error.fix


TEXTS = """\
version: 1.0
apps:
  - appDirPath: web
    appID: 0123
    appPort: 0x50
    enableApiLogging: on
    command: [run, 1.0, yes, 010, null, ""]
    env: {A: yes, B: 010, C: 1_000, D: 2024-01-01, E: , F: ~, G: !!binary aGk=, 8: n, H: "x"}
"""


def test_a_text_counts_as_it_is_written(tmp_path):
    """As Go's yaml.v2 decodes each of these into the CLI's structures."""
    (app,) = load(write(tmp_path, TEXTS)).apps
    assert (app.app_id, app.app_port, app.settings["enableApiLogging"]) == ("0123", 80, True)
    assert app.command == ("run", "1.0", "yes", "010", "", "")
    assert app.env == {"A": "yes", "B": "010", "C": "1_000", "D": "2024-01-01", "E": "",
                       "F": "", "G": "hi", "8": "n", "H": "x"}  # fmt: skip


@pytest.mark.parametrize(
    ("written", "port"),
    [("010", 8), ("080", 80), ("1_0", 10), ("0b11", 3), ("0o17", 15), ("80.9", 80), ("1e2", 100)],
)
def test_a_number_may_be_written_in_every_way_of_yaml(tmp_path, written, port):
    text = f"version: 1\napps: [{{appDirPath: web, appPort: {written}}}]\n"
    assert load(write(tmp_path, text)).apps[0].app_port == port


def test_merge_keys_take_effect_where_they_stand(tmp_path):
    text = """\
version: 1
common: &shared {logLevel: debug, appProtocol: grpc}
apps:
  - <<: *shared
    appDirPath: web
    logLevel: warn
  - appID: two
    appDirPath: web
    logLevel: warn
    <<: [{logLevel: first}, {logLevel: second, maxBodySize: 1Mi}]
"""
    one, two = load(write(tmp_path, text)).apps
    assert (one.settings["logLevel"], one.settings["appProtocol"]) == ("warn", "grpc")
    assert (two.settings["logLevel"], two.settings["maxBodySize"]) == ("first", "1Mi")


def test_only_the_first_document_counts(tmp_path):
    text = "---\nversion: 1\napps: [{appDirPath: web}]\n---\nnot: [closed\n"
    assert load(write(tmp_path, text)).apps[0].app_id == "web"


def test_a_link_keeps_its_own_name(tmp_path):
    text = "version: 1\napps: [{appDirPath: link/../link/}]\n"
    file = write(tmp_path, text)
    (tmp_path / "link").symlink_to("web")
    (app,) = load(file).apps
    assert (app.app_id, app.folder) == ("link", tmp_path / "link")


def test_false_nothing_and_zero_leave_what_all_say(tmp_path):
    text = """\
version: 1
common: {enableApiLogging: true, appMaxConcurrency: 4, logLevel: warn, env: {A: "1", B: "2"}}
apps:
  - appDirPath: web
    enableApiLogging: false
    appMaxConcurrency: 0
    logLevel: ""
    env: {A: ""}
"""
    (app,) = load(write(tmp_path, text)).apps
    assert app.settings["enableApiLogging"] is True
    assert app.settings["appMaxConcurrency"] == 4
    assert app.settings["logLevel"] == "warn"
    assert app.env == {"A": "", "B": "2"}


@pytest.mark.parametrize(
    ("given", "protocol"),
    [
        ("", "http"),
        ("appSSL: true", "https"),
        ("appProtocol: GRPC", "grpc"),
        ("appProtocol: grpc, appSSL: yes", "grpcs"),
        ("appProtocol: h2c, appSSL: yes", "h2c"),
        ("appProtocol: x", None),
    ],
)
def test_a_command_is_told_its_protocol_as_the_cli_does(tmp_path, given, protocol):
    text = f"version: 1\napps: [{{appDirPath: web, appChannelAddress: localhost, {given}}}]\n"
    env = cli_env(load(write(tmp_path, text)).apps[0])
    assert env.get("APP_PROTOCOL") == protocol
    assert (env["APP_ID"], env["APP_CHANNEL_ADDRESS"]) == ("web", "localhost")


def test_a_missing_one_says_so(tmp_path):
    with pytest.raises(RunFileError) as caught:
        load(tmp_path / "dapr.yaml")
    assert "cannot be read" in caught.value.title


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_and_never_raises_something_else(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(LabError):  # anything else fails the test
        load(file)
