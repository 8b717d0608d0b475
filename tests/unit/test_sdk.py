"""The two releases of the SDK that a break lab needs, as a mirror of packages."""

from __future__ import annotations

import pytest

from labkit import paths, versions
from labkit.host import sdk

PINNED, NEXT = f"dapr-{versions.PYTHON_SDK}", f"dapr-{versions.NEXT_PYTHON_SDK}"


def test_a_mirror_has_a_folder_for_each_release_of_its_time(tmp_path):
    sdk.mirror(tmp_path / "mirror", "last week")
    assert [f.name for f in (tmp_path / "mirror").iterdir()] == [PINNED]
    for _ in range(2):  # what is there stays
        sdk.mirror(tmp_path / "mirror", "yesterday")
    found = sorted((tmp_path / "mirror").iterdir())
    assert [f.name for f in found] == [PINNED, NEXT]
    for release in found:
        assert (release / f"{release.name}.dist-info").is_dir()
        assert (release / "dapr" / "ext" / "workflow").is_dir()


def test_a_next_release_that_is_missing_is_said_with_the_command_that_gets_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(paths, "repo", lambda: tmp_path)
    with pytest.raises(sdk.NextSdkMissing) as caught:
        sdk.folder(versions.NEXT_PYTHON_SDK)
    assert caught.value.fix == "./lab setup"
    (tmp_path / sdk.NEXT).mkdir(parents=True)
    with pytest.raises(sdk.NextSdkMissing) as caught:
        sdk.mirror(tmp_path / "mirror", "yesterday")
    assert caught.value.fix.startswith("rm -r ")
