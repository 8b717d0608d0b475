"""From where a sidecar must be started, so that it finds what its components name."""

from __future__ import annotations

import pytest

from labkit import components


def component(kind: str, **metadata: str) -> components.Component:
    values = [{"name": k, "value": v} for k, v in metadata.items()]
    return {"kind": "Component", "spec": {"type": kind, "metadata": values}}


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        (component("secretstores.local.file", secretsFile="./secrets.json"), True),
        (component("secretstores.local.file", secretsFile="../app/secrets.json"), True),
        (component("secretstores.local.file", secretsFile="elsewhere.json"), False),
        (component("secretstores.local.file", secretsFile="/etc/passwd"), False),
        (component("bindings.localstorage", rootPath="data"), True),
        (component("state.sqlite", connectionString="data/store.sqlite"), True),
        (component("state.sqlite", connectionString="file:data/store.sqlite?mode=rwc"), True),
        (component("state.sqlite", connectionString="no/store.sqlite"), False),
        # A store named by its file only is the lab's, even if one lies there from `dapr run`.
        (component("state.sqlite", connectionString="store.sqlite"), False),
        (component("state.sqlite", connectionString=":memory:"), False),
        (component("state.redis", redisHost="data"), False),
        ({"kind": "Component", "spec": None}, False),
    ],
)
def test_a_component_that_names_a_file_of_the_app_needs_its_folder(tmp_path, given, needed):
    folder = tmp_path / "app"
    (folder / "data").mkdir(parents=True)
    for name in ("secrets.json", "store.sqlite"):
        (folder / name).touch()
    assert components.needs_folder(given, folder) is needed
