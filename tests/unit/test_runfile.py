"""Run files as ``dapr run -f`` reads them, and wrong ones with key and line."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import paths
from labkit.errors import LabError
from labkit.labs.lab import Lab
from labkit.runfile import RunFileError, cli_env, daprd_flags, load, read
from labkit.runfile.keys import APP, TOP


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
        ("version: 1\napps:\n  - appDirPath: web\n    appPort: !!str 80\n", 4, "whole number"),
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
        ("version: 1\napps:\n  - appDirPath: web\n    logLevel: loud\n", 4, "debug, info"),
        ("version: 1\napps:\n  - appDirPath: web\n    appProtocol: --help\n", 4, "http, https"),
        ("version: 1\napps:\n  - appDirPath: web\n    maxBodySize: 4 MB\n", 4, "4Mi"),
        ("version: 1\napps:\n  - appDirPath: web\n    readBufferSize: x\n", 4, "4Mi"),
        (
            "version: 1\napps:\n  - appDirPath: web\n    resourcesPaths:\n    - own\n    - no\n",
            6,
            "no",
        ),
        ("version: 1\ncommon:\n  configFilePath: no\napps: [{appDirPath: web}]\n", 3, "no"),
        ("version: 1\ncommon: {<<: 1}\napps: [{appDirPath: web}]\n", 2, "map"),
        ("version: 1\ncommon: &c {<<: *c}\napps: [{appDirPath: web}]\n", 2, "alias"),
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
    <<: [{logLevel: Debug}, {logLevel: error, maxBodySize: 1Mi}]
"""
    one, two = load(write(tmp_path, text)).apps
    assert (one.settings["logLevel"], one.settings["appProtocol"]) == ("warn", "grpc")
    assert (two.settings["logLevel"], two.settings["maxBodySize"]) == ("Debug", "1Mi")


def test_variables_that_are_merged_in_are_joined_with_those_of_the_app(tmp_path):
    text = """\
version: 1
common: {env: {C: common}}
x: &x {env: {A: merged, B: merged}}
apps: [{<<: *x, appDirPath: web, env: {B: own}}]
"""
    (app,) = read(write(tmp_path, text)).apps  # x is a key that a lab does not take
    assert app.env == {"A": "merged", "B": "own", "C": "common"}


@pytest.mark.parametrize(
    "line", ["appPort: x\n    appPort: 80", "<<: {appPort: x}\n    appPort: 80"]
)
def test_a_value_that_another_replaces_must_be_right_too(tmp_path, line):
    with pytest.raises(RunFileError, match="appPort is 'x'"):
        load(write(tmp_path, f"version: 1\napps:\n  - appDirPath: web\n    {line}\n"))


def test_a_key_that_stands_a_hundred_times_is_refused(tmp_path):
    lines = "\n    ".join(f"env: {{A{n}: b}}" for n in range(100))
    with pytest.raises(RunFileError, match="env stands 100 times"):
        load(write(tmp_path, f"version: 1\napps:\n  - appDirPath: web\n    {lines}\n"))


@pytest.mark.parametrize("size", ["4Mi", "16Mi", "-1", "8388608", "1.5Gi", "1e6", "512k", "0"])
def test_sizes_are_quantities_of_kubernetes(tmp_path, size):
    text = f"version: 1\napps: [{{appDirPath: web, maxBodySize: {size}}}]\n"
    assert load(write(tmp_path, text)).apps[0].settings["maxBodySize"] == size


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


HOSTILE = {
    "an app ID that leaves the folder": ("appID: ../../../etc/x", "has a dot"),
    "an app ID with a slash": ("appID: a/b", "cannot be used"),
    "an app ID that is a flag": ("appID: --help", "cannot be used"),
    "an app ID with a line break": ('appID: "a\\nb"', "cannot be used"),
    "an app ID with a zero byte": ('appID: "a\\0b"', "zero byte"),
    "an app ID of 5,000 letters": (f"appID: {'x' * 5000}", "cannot be used"),
    "an app ID of 200,000 letters": (f"appID: {'x' * 200_000}", "200,000 letters"),
    "an app ID with a space": ("appID: a b", "cannot be used"),
    "a variable with a zero byte": ('env: {A: "\\0"}', "zero byte"),
    "a variable that is an assignment": ("env: {A=B: c}", "'A=B'"),
    "a variable without a name": ('env: {"": c}', "is called ''"),
    "a word of the command with a zero byte": ('command: [a, "\\0"]', "zero byte"),
    "a thousand variables and one": (
        f"env: {{{', '.join(f'A{n}: b' for n in range(1001))}}}",
        "keys",
    ),
    "too many words": (f"command: [{'a,' * 1001}]", "1,001 items"),
    "a folder as configuration": ("configFilePath: .", "not a file"),
    "a device as configuration": ("configFilePath: /dev/zero", "not a file"),
    "a pipe as configuration": ("configFilePath: ../pipe", "not a file"),
    "a device as resources": ("resourcesPath: /dev/zero", "not a folder"),
    "a file as resources": ("resourcesPath: ../dapr.yaml", "not a folder"),
    "a ring of links as resources": ("resourcesPath: ../ring", "symbolic links"),
    "a path that is too long": (f"resourcesPath: {'x' * 5000}", "File name too long"),
    "the home of nobody": ("resourcesPath: ~nobody-here", "there is no ~nobody-here"),
    "an unknown key of 1,000 letters": (f"{'x' * 1000}: y", "has no key"),
    "5,000 unknown keys": ("\n    ".join(f"x{n}: y" for n in range(5000)), "has more than"),
    "a map as a key": ("? {a: b}\n    : c", "as a key"),
}


@pytest.mark.parametrize(("line", "words"), HOSTILE.values(), ids=list(HOSTILE))
def test_what_no_lab_can_use_is_refused_in_one_short_message(tmp_path, line, words):
    file = write(tmp_path, f"version: 1\napps:\n  - appDirPath: web\n    {line}\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "ring").symlink_to("ring")
    with pytest.raises(RunFileError) as caught:
        load(file)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 2000
    assert len(caught.value.title) < 120


@pytest.mark.parametrize("app_id", ["a", "order-service", "HobbitApp", "order_processor", "0123"])
def test_app_ids_of_public_run_files_are_taken(tmp_path, app_id):
    text = f"version: 1\napps: [{{appDirPath: web, appID: {app_id}}}]\n"
    assert load(write(tmp_path, text)).apps[0].app_id == app_id


@pytest.mark.parametrize("folder", ["my.service", "my service", "--web"])
def test_a_folder_that_is_no_app_id_asks_for_one(tmp_path, folder):
    (tmp_path / folder).mkdir()
    text = f"version: 1\napps:\n  - appDirPath: {folder}\n"
    with pytest.raises(RunFileError, match="without appID, the folder is the app ID"):
        load(write(tmp_path, text))
    assert load(write(tmp_path, f"{text}    appID: web\n")).apps[0].app_id == "web"


def merges(levels: int, width: int) -> str:
    lines = ["m0: &m0 {A: b}"]
    for n in range(1, levels):
        lines.append(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * width)}]}}")
    return "\n".join(lines)


def test_nested_merge_keys_cost_no_more_than_their_length(tmp_path):
    """Nine levels of nine; the Dapr CLI refuses them as excessive aliasing."""
    apps = "".join(f"  - {{appDirPath: web, appID: a{n}, env: *m8}}\n" for n in range(9))
    file = write(tmp_path, f"version: 1\n{merges(9, 9)}\napps:\n{apps}")
    assert [f.effect for f in read(file).faults] == ["ignored"] * 9  # m0 to m8 are unknown keys
    assert read(file).apps[8].env == {"A": "b"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"version: 1\napps: " + b"[" * 5000 + b"]" * 5000, "nested more than 200 deep"),
        (b"#" * 50_000_000, "larger than 4 MB"),
        (b"version: 1\napps:\n\t- appDirPath: web\n", "a tab cannot be used here"),
        (b"version: 1\napps: [{appDirPath: \0}]\n", "not valid YAML"),
        (b"", "it is empty"),
        (b"---\n---\nversion: 1\n", "it is empty"),
        (b"text", "it is 'text', not a map"),
        (b"version: 1\napps: [" + b"{appDirPath: web}," * 5000 + b"]", "5,000 apps"),
        (b"version: 1\napps: [text, [a], null]\n", "an app is not a map"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_file_that_is_not_one_is_refused_for_the_right_reason(tmp_path, data, words):
    file = write(tmp_path, "")
    file.write_bytes(data)
    with pytest.raises(RunFileError, match=words) as caught:
        load(file)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("kind", ["pipe", "folder", "ring", "device", "zero byte", "long name"])
def test_what_is_not_a_file_is_refused_at_once(tmp_path, kind):
    file = {"device": Path("/dev/zero"), "zero byte": Path("a\0b"), "long name": Path("x" * 5000)}
    path = file.get(kind, tmp_path / kind)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "ring":
        path.symlink_to(path)
    with pytest.raises(RunFileError, match="it cannot be read"):
        load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-16"),
    ],
    ids=["byte order mark", "Windows lines", "utf-16"],
)
def test_files_made_on_windows_are_read(tmp_path, change):
    file = write(tmp_path, "")
    file.write_bytes(change(FULL))
    assert [app.app_id for app in load(file).apps] == ["web", "second"]


def test_all_faults_are_read_in_their_order_and_a_lab_raises_the_first(tmp_path):
    text = """\
version: 1
common: {logLevel: [a]}
apps:
  - appDirPath: nowhere
    apID: one
  - appID: two
  - appDirPaht: web
    appID: three
  - appDirPath: web
    appPort: many
    env: [A]
"""
    faults = read(write(tmp_path, text)).faults
    assert [(f.line, f.effect) for f in faults] == [
        (2, "refused"),
        (4, "refused"),
        (5, "ignored"),
        (6, "refused"),
        (7, "refused"),  # misspelt, and so missing
        (10, "refused"),
        (11, "refused"),
    ]
    with pytest.raises(RunFileError, match="logLevel is a list"):
        load(tmp_path / "dapr.yaml")


def test_a_path_that_the_sidecar_of_the_cli_would_cut_is_fine_in_a_lab(tmp_path):
    (tmp_path / "a,b").mkdir()
    file = write(tmp_path / "a,b", "version: 1\napps: [{appDirPath: web, resourcesPath: own}]\n")
    (fault,) = read(file).faults
    assert "holds a comma" in fault.what
    assert fault.effect == "refused"
    assert load(file).apps[0].resources == (tmp_path / "a,b" / "web" / "own",)


KEYS = st.sampled_from([*APP, *TOP, "<<"]) | st.text(max_size=5)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["web", ".", "..", "~nobody", "\0", "\u2028", "--help", "a/b", "x" * 300])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*APP, *TOP, "<<"]) | st.text(max_size=5), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(st.lists(VALUES, max_size=2), VALUES)
def test_whatever_loads_stays_in_its_folder(tmp_path_factory, apps, common):
    """Every app ID can be a file name, and no text holds what no program can be given."""
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    entries = [{"appDirPath": "web", **one} if isinstance(one, dict) else one for one in apps]
    body = {"version": 1, "apps": entries, "common": common}
    file = write(folder, yaml.safe_dump(body))
    with suppress(LabError):
        for app in load(file).apps:
            assert (folder / f"{app.app_id}.log").parent == folder
            assert not any("\0" in word for word in [*app.command, *app.env, *app.env.values()])


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_and_never_raises_something_else(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(LabError):  # anything else fails the test
        load(file)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "/dev/zero", "nowhere", "/dev/null/x"])
def test_a_lab_of_what_is_no_run_file_is_refused_before_anything_is_made(path):
    with pytest.raises(RunFileError, match="it cannot be read"):
        Lab(path)
