"""The lab's Redis: its password is in no command line, and a component must know it."""

from __future__ import annotations

import pytest

from labkit import paths
from labkit.infrastructure import components, redis

USES = {"name": "redisHost", "envRef": "REDIS_HOST"}
KNOWS = {"name": "redisPassword", "envRef": "REDIS_PASSWORD"}


def component(*metadata):
    return {"kind": "Component", "metadata": {"name": "store"}, "spec": {"metadata": [*metadata]}}


def test_all_settings_are_in_a_file_of_its_user(tmp_path):
    folder = tmp_path / 'ü "quoted" \\ folder'
    folder.mkdir()
    program, file = redis.command(1234, folder, "s3cret")
    assert program == str(redis.redis_server())
    config = (folder / "redis.conf").read_text()
    assert file == str(folder / "redis.conf")
    assert 'requirepass "s3cret"' in config
    assert 'bind "127.0.0.1"' in config
    assert r"\"quoted\" \\ folder" in config
    assert (folder / "redis.conf").stat().st_mode & 0o777 == 0o600


def test_a_component_that_uses_the_labs_redis_must_know_its_password():
    redis.require_password(component(USES, KNOWS))
    redis.require_password(component({"name": "redisHost", "value": "elsewhere:6379"}))
    for metadata in ([USES], [USES, {"name": "redisPassword", "value": ""}]):
        with pytest.raises(redis.RedisWithoutPassword) as caught:
            redis.require_password(component(*metadata))
        assert "component store" in caught.value.title
        assert "envRef: REDIS_PASSWORD" in caught.value.fix


def test_every_component_of_the_course_knows_it():
    folders = [f for f in (paths.repo() / "components").iterdir() if f.is_dir()]
    found = list(components.read(folders))
    assert sum("REDIS_HOST" in components.env_refs(c) for c in found) >= 3
    for one in found:
        redis.require_password(one)
