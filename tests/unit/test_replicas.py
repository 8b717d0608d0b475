"""What an app with replicas is made of, and when it is not there as a whole."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace as Fake

import pytest

from labkit.apps import replicas
from labkit.apps.app import Down
from labkit.apps.replicas import WrongReplicas, all_gone, chosen, common, downs, spread
from labkit.runfile import AppSpec, app_id_of, named


def spec(app_id: str = "a", **settings: object) -> AppSpec:
    return AppSpec(app_id, Path("/x"), ("run",), {"SAME": "1"}, (), None, settings)


def app(name: str, alive: bool = True, gone: tuple[Down, ...] = ()):
    sidecar = Fake(is_alive=alive)
    return Fake(
        name=name,
        app_id=app_id_of(name),
        process=lambda part: sidecar,
        downs=lambda since: [d for d in gone if d.start >= since],
    )


def test_an_app_without_a_number_keeps_its_name():
    assert [s.name for s in spread(spec(), None, {})] == ["a"]


def test_one_replica_has_a_number_so_that_names_stay_when_more_are_started():
    assert [s.name for s in spread(spec(), 1, {})] == ["a#1"]
    assert [s.name for s in spread(spec(), 3, {})] == ["a#1", "a#2", "a#3"]


def test_only_the_first_replica_keeps_the_ports_of_the_run_file():
    first, second = spread(spec(appPort=8001, daprHTTPPort=3500, logLevel="debug"), 2, {})
    assert (first.app_port, first.dapr_http_port) == (8001, 3500)
    assert (second.app_port, second.dapr_http_port) == (None, None)
    assert second.settings == {"logLevel": "debug"}


def test_a_replica_may_have_variables_of_its_own():
    first, second = spread(spec(), 2, {"a#2": {"OWN": "2"}})
    assert (dict(first.env), dict(second.env)) == ({"SAME": "1"}, {"SAME": "1", "OWN": "2"})


def test_an_app_id_means_all_replicas_and_a_name_means_one():
    specs = [*spread(spec(), 2, {}), spec("b")]
    assert [s.name for s in named("a", specs)] == ["a#1", "a#2"]
    assert [s.name for s in named("a#2", specs)] == ["a#2"]
    assert [s.name for s in named("b", specs)] == ["b"]
    assert named("a#3", specs) == []


@pytest.mark.parametrize("counts", [{"b": 2}, {"a": 0}, {"a": "2"}, {"a": True}, {"a": 1.5}])
def test_a_number_that_is_none_is_refused(counts):
    with pytest.raises(WrongReplicas) as caught:
        replicas.require([spec()], counts)
    assert "app IDs: a;" in caught.value.found


def test_the_first_replica_that_runs_answers_for_the_app():
    apps = [app("b"), app("a#1", alive=False), app("a#2")]
    assert chosen("a", apps).name == "a#2"
    assert chosen("a#1", apps).name == "a#1", "who names one means that one"
    assert chosen("c", apps) is None
    assert chosen("a", [app("a#1", alive=False), app("a#2", alive=False)]).name == "a#1"


@pytest.mark.parametrize(
    ("ended", "gone"),
    [
        ({"a#1"}, {"a#1"}),
        ({"a#1", "a#2"}, {"a#1", "a#2", "a"}),
        ({"b"}, {"b"}),
        (set(), set()),
    ],
)
def test_an_app_is_gone_when_each_of_its_replicas_is(ended, gone):
    apps = [app("a#1"), app("a#2"), app("b")]
    assert all_gone([Fake(name=n) for n in ended], apps) == gone


def down(part: str, start: float, end: float | None) -> Down:
    return Down("a", part, start, end)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (down("worker", 1, 5), down("worker", 3, 8), [down("worker", 3, 5)]),
        (down("worker", 1, 5), down("sidecar", 3, None), [down("app", 3, 5)]),
        (down("worker", 1, None), down("worker", 3, None), [down("worker", 3, None)]),
        (down("worker", 1, 3), down("worker", 3, 8), []),
        (down("worker", 1, 2), down("worker", 3, 8), []),
    ],
)
def test_an_app_is_down_while_every_replica_is(one, other, both):
    assert common([[one], [other]]) == both
    assert downs([app("a#1", gone=(one,)), app("a#2", gone=(other,))], 0) == both


def test_the_downs_of_an_app_without_replicas_are_its_own():
    own = (down("worker", 1, 2), down("sidecar", 4, None))
    assert downs([app("a", gone=own)], 0) == list(own)
