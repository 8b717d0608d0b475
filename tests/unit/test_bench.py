"""What a bench prints and draws; the figures themselves are measured, never asserted."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from xml.etree import ElementTree

import pytest

from labkit import bench, paths
from labkit.bench import chaos, startup
from labkit.bench.picture import svg
from labkit.processes import ports
from labkit.waiting import NotInTime

FOUND = {
    "machine": {"cores": 2, "python": "3.11"},
    "startup": {"floor_s": 1.5, "lab_s": 1.8, "ratio": 1.2, "runs": 5},
    "labs": {"up_s_1": 1.0, "up_s_4": 4.0, "pss_mib_per_lab_1": 500.0},
}


def test_the_picture_is_well_formed_and_says_each_figure_in_words():
    root = ElementTree.fromstring(svg(FOUND))
    words = [e.text for e in root.iter() if e.text]
    assert {"floor_s", "1.5", "startup", "machine: cores 2, python 3.11"} <= set(words)
    assert "runs" not in words
    assert svg(FOUND) == svg(FOUND)


def test_bars_compare_what_has_one_unit():
    root = ElementTree.fromstring(svg(FOUND))
    bars = [float(e.get("width")) for e in root.iter() if e.tag.endswith("rect")]
    floor, lab, ratio, one, four, pss = bars
    assert lab == ratio == four == pss == max(bars)
    assert floor / lab == pytest.approx(1.5 / 1.8, abs=0.01)
    assert one / four == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("words", [["speed"], ["swimlane", "--runs", "0"]])
def test_wrong_use_is_told(words, capsys):
    with pytest.raises(SystemExit) as caught:
        bench.main(words)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_one_object_is_printed_and_kept_with_its_picture(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    assert bench.main(["swimlane", "--json", "--runs", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["swimlane"]["ms_per_1000"] > 0
    assert json.loads((paths.state() / "bench.json").read_text()) == told
    assert ElementTree.fromstring((paths.state() / "bench.svg").read_text()) is not None


def test_chaos_is_measured_when_it_is_named_and_its_seed_is_passed_on(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path))
    played = []
    report = chaos.Report(7, "nothing", problems=["a mail is lost"], kills=2)
    monkeypatch.setattr(chaos, "run", lambda seeds: played.extend(seeds) or [report])
    assert bench.main(["chaos", "--json", "--cycles", "2", "--seed", "7"]) == 0
    printed = capsys.readouterr()
    assert played == [7, 8]
    assert json.loads(printed.out)["chaos"]["wrong"] == "7"
    assert "a mail is lost" in printed.err
    assert "chaos" not in bench.FIGURES, "a night is no figure"


def recipe(code, folder):
    return startup.Recipe("placement", (sys.executable, "-c", code), {}, folder)


def floor_of(code, folder):
    child = startup._start(recipe(code, folder))
    try:
        startup._wait_ready({"placement": child}, [("http://127.0.0.1:1/", {})])
    finally:
        startup._end([child])


def test_the_floor_is_not_waited_for_when_a_process_of_it_has_ended(tmp_path):
    with pytest.raises(startup.FloorEnded, match="placement ended"):
        floor_of("raise SystemExit(3)", tmp_path)


def test_the_floor_has_a_deadline_and_says_what_it_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(startup, "FLOOR_SECONDS", 0.2)
    with pytest.raises(NotInTime, match="workers of the floor"):
        floor_of("import time; time.sleep(60)", tmp_path)


def test_the_floor_keeps_the_ports_of_the_lab_or_is_not_measured():
    with closing(ports.reserve()) as block, pytest.raises(startup.PortsLost):
        startup._same_ports(block.first)
    with closing(startup._same_ports(block.first)) as held:
        assert ports.reserve(prefer=held.first).first != held.first
