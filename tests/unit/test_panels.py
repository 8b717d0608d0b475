"""Dashboards of Grafana: what is read, what is asked, and what is wrong with file and line."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest

from labkit import paths
from labkit.prometheus import (
    QueryRefused,
    Series,
    UnknownPanel,
    WrongDashboard,
    dashboard,
    dashboards,
    panels,
)

DAPR = [name for name in dashboards.COURSE if name != "workflows"]
OWN = """{
  "title": "Own",
  "panels": [
    {"type": "text", "title": "Words"},
    {"type": "row", "title": "HTTP", "panels": []},
    {
      "title": "Rate",
      "yaxes": [{"format": "reqps"}],
      "targets": [
        {"expr": "rate(a{app=~\\"$app\\"}[$__rate_interval])",
         "legendFormat": "{{app}} of {{ nobody }}"},
        {"expr": ""}
      ]
    },
    {"type": "row", "title": "gRPC", "collapsed": true, "panels": [
      {"title": "Rate", "fieldConfig": {"defaults": {"unit": "ms"}}, "targets": [
\t{"expr": "${metric:raw}{namespace=\\"[[namespace]]\\", app=~\\"$app\\"}",
         "legendFormat": "__auto"}
      ]}
    ]},
    {"title": "Nobody \\ud83d\\ude00", "targets": [{"expr": "up == $limit"}]}
  ],
  "templating": {"list": [
    {"name": "namespace", "type": "query", "query": {"query": "label_values(namespace)"}},
    {"name": "app", "type": "query", "multi": true,
     "query": "label_values(a{namespace=\\"$namespace\\"}, app)"},
    {"name": "metric", "type": "custom", "query": "a, b"},
    {"name": "limit", "type": "query", "query": "query_result(up)"}
  ]}
}
"""


class Source:
    """A Prometheus that answers everything with one series, and notes what it was asked."""

    def __init__(self, *points, refuses: str = "") -> None:
        self.points = points or ((10.0, 1.0), (12.0, float("nan")), (13.0, 2.5))
        self.refuses, self.asked = refuses, []

    def _note(self, text: str) -> None:
        self.asked.append(text)
        if self.refuses and self.refuses in text:
            raise QueryRefused("refused", asked=text, found="parse error", look_at="-", fix="-")

    def over(self, expression, since, until, step):
        self._note(expression)
        return [Series("a", {"app": "x"}, self.points)]

    def label_values(self, label, of):
        self._note(f"{label} of {of}")
        return ["one.app", "two"]


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.json"
    file.write_text(OWN)
    return dashboard(file)


def show(board, title, source=None, **given):
    return panels.drawn(board, title, source or Source(), 300, given)


# --- reading ---------------------------------------------------------------------------------


def test_panels_know_their_row_unit_and_line(own):
    assert [(p.names[1], p.unit, p.line) for p in own.panels] == [
        ("HTTP: Rate", "reqps", 6),
        ("gRPC: Rate", "ms", 16),
        ("gRPC: Nobody 😀", "", 21),
    ]
    assert [q.line for p in own.panels for q in p.queries] == [10, 17, 21]
    assert repr(own).splitlines() == ["Own:", "  Rate", "  Rate", "  Nobody 😀"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_that_is_no_yaml_is_read(tmp_path, encoding):
    title = "a\x7fb\x80c\x9fd\uffffe\ufefff g\x85h \u2028 i"
    own = {"panels": [{"title": title, "targets": [{"expr": "up"}]}]}
    file = tmp_path / "own.json"
    file.write_bytes(json.dumps(own, ensure_ascii=False, indent="\t").encode(encoding))
    assert [p.title for p in dashboard(file).panels] == [title]


def test_a_panel_that_is_not_there_or_comes_twice_is_named(own):
    with pytest.raises(UnknownPanel) as caught:
        own.panel("Nobody")
    assert "write 'Nobody 😀'" in caught.value.fix
    with pytest.raises(UnknownPanel) as caught:
        own.panel("something else")
    assert caught.value.found.splitlines() == ["Rate", "Rate", "Nobody 😀"]
    with pytest.raises(UnknownPanel) as caught:
        own.panel("Rate")
    assert (caught.value.found, caught.value.fix) == (
        "line 6, line 16",
        "write 'HTTP: Rate' or 'gRPC: Rate'",
    )
    assert own.panel("gRPC: Rate").unit == "ms"


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ('{"panels": [\n  {"title": "a",}\n]}', 2, "not valid JSON"),
        ("panels:\n- title: a\n", 1, "not valid JSON"),
        ("", 1, "not valid JSON"),
        (b"\xff\xfe\xfa", 1, "nor UTF-8"),
        ("[" * 250 + "]" * 250, 1, "nested more than 200 deep"),
        ("[" * 100_000, 1, "nested too deep"),
        ("[]", 1, "no key panels"),
        ('{"title": "a"}', 1, "no key panels"),
        ('{"panels": {"title": "a"}}', 1, "no panel with a query"),
        ('{"panels": [1, null, {"targets": "up"}, {"targets": [{"expr": 1}, {}]}]}', 0, ""),
        ('{"panels": [{"targets": [{"expr": null}]}]}', 1, "no panel with a query"),
    ],
)
def test_what_is_no_dashboard_is_said_with_its_line(tmp_path, text, line, found):
    file = tmp_path / "wrong.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    if not line:
        assert dashboard(file).panels[0].queries[0].expression == "1"
        return
    with pytest.raises(WrongDashboard) as caught:
        dashboard(file)
    assert caught.value.look_at == f"{file}:{line}"
    assert found in caught.value.found
    assert f"wrong.json, line {line}" in caught.value.title


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(WrongDashboard) as caught:
        dashboard(tmp_path / "absent.json")
    assert "No such file" in caught.value.found
    assert caught.value.look_at == str(tmp_path / "absent.json")


# --- asking ----------------------------------------------------------------------------------


def test_variables_are_asked_as_grafana_does_and_only_those_that_are_needed(own):
    source = Source()
    show(own, "gRPC: Rate", source)
    assert source.asked == [
        "namespace of ",
        'app of a{namespace="one.app"}',
        r'a{namespace="one.app", app=~"one\\.app|two"}',
    ]
    source = Source()
    show(own, "gRPC: Rate", source, app="two", namespace="default", metric="b")
    assert source.asked == ['b{namespace="default", app=~"two"}']


@pytest.mark.parametrize("seconds", ["5m", float("nan"), float("inf"), 0, -5, None, 1e300])
def test_a_time_that_is_none_is_refused_before_prometheus_is_asked(own, seconds):
    source = Source()
    with pytest.raises(panels.WrongTime) as caught:
        panels.drawn(own, "HTTP: Rate", source, seconds, {})
    assert repr(seconds) in caught.value.asked
    assert source.asked == []


def test_a_variable_may_be_given_as_a_number(own):
    source = Source()
    show(own, "gRPC: Rate", source, app=5, namespace="default", metric="b")
    assert source.asked == ['b{namespace="default", app=~"5"}']


def test_a_title_that_is_no_text_is_not_there(own):
    with pytest.raises(UnknownPanel):
        show(own, 5)


def test_grafanas_own_intervals_fit_what_is_asked():
    assert panels.intervals(300, 1)["__rate_interval"] == "4s"
    told = panels.intervals(3600, 12)
    assert (told["__interval"], told["__rate_interval"], told["__range"]) == ("12s", "13s", "3600s")
    assert (told["__interval_ms"], told["__range_s"]) == ("12000", "3600")
    assert dashboards.filled("$__interval $1 $__x", told) == "12s $1 $__x"


def test_a_query_that_is_refused_or_has_no_value_is_said_with_its_line(own):
    with pytest.raises(WrongDashboard) as caught:
        show(own, "HTTP: Rate", Source(refuses="rate("))
    assert caught.value.look_at.endswith("own.json:10")
    assert caught.value.found == "parse error"
    with pytest.raises(WrongDashboard) as caught:
        show(own, "HTTP: Rate", Source(refuses="app of"))
    assert caught.value.look_at.endswith("own.json:25")
    with pytest.raises(WrongDashboard) as caught:
        show(own, "Nobody 😀")
    assert caught.value.look_at.endswith("own.json:21")
    assert "$namespace, $app, $metric, $limit" in caught.value.found
    assert show(own, "Nobody 😀", limit="1").expressions == ("up == 1",)


# --- showing ---------------------------------------------------------------------------------


def test_a_panel_is_shown_in_words_and_as_a_picture(own):
    found = show(own, "HTTP: Rate")
    assert found.has_data
    assert found.text.splitlines() == [
        "Rate",
        "series  last   lowest  highest",
        "x of    2.5/s  1/s     2.5/s",
    ]
    assert repr(found) == "Rate:\n  x of", "no measured value"
    root = ET.fromstring(found.svg)
    space = {"s": "http://www.w3.org/2000/svg"}
    assert root.find("s:desc", space).text == found.text
    assert [t.text for t in root.findall("s:text", space)] == [
        "Rate (over 3 s)",
        "x of: 2.5/s, from 1/s to 2.5/s",
    ]
    assert set(found._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_a_panel_without_data_says_so_and_what_was_asked(own):
    source = Source((1.0, float("nan")))
    found = show(own, "gRPC: Rate", source)
    assert not found.has_data
    assert "a app=x  no number" in found.text
    source.over = lambda *_: []
    found = show(own, "gRPC: Rate", source)
    assert repr(found) == "Rate:\n  no data"
    assert "no data\na{namespace=" in found.text
    assert ">Rate (no data)<" in found.svg


def test_the_highest_curves_are_drawn_and_all_are_in_words(own):
    source = Source()
    source.over = lambda *_: [Series(f"s{n:02}", {}, ((1.0, n), (2.0, n + 1))) for n in range(20)]
    found = show(own, "gRPC: Rate", source)
    assert [name for name, _ in found.curves[:2]] == ["s19", "s18"]
    assert len(found.text.splitlines()) == 22
    assert "the highest 8, 12 more in .text" in found.svg
    assert found.svg.count(", from ") == 8


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (2.0, "none", "2"),
        (12345.6, "short", "12,346"),
        (0.01234, "reqps", "0.0123/s"),
        (0.5, "percentunit", "50%"),
        (12_345_678, "decbytes", "12.3 MB"),
        (1.5, "s", "1.5 s"),
        (29, "ms", "29 ms"),
    ],
)
def test_values_have_their_unit(value, unit, said):
    assert panels.worded(value, unit) == said


# --- those of the course ---------------------------------------------------------------------


@pytest.mark.parametrize("name", DAPR)
def test_every_change_of_the_course_fits_the_file_of_dapr(name):
    theirs, ours = dashboards.read(dashboards.COURSE[name]), dashboard(name)
    known = {n: p for p in theirs.panels for n in p.names}
    for change in dashboards.changes()[theirs.file.name]:
        texts = " ".join(
            f"{q.expression} {q.legend}" for n in change["panels"] for q in known[n].queries
        )
        assert [old for old in change.get("put", {}) if old not in texts] == []
    titles = [n for c in dashboards.changes()[theirs.file.name] for n in c["panels"]]
    assert len(titles) == len(set(titles))
    assert {p.line for p in ours.panels} < {p.line for p in theirs.panels}


def test_a_panel_that_the_course_leaves_out_says_why():
    with pytest.raises(UnknownPanel) as caught:
        dashboard("sidecar").panel("Placement table operation")
    assert "no code of 1.18.1 counts them" in caught.value.found


def test_the_files_of_dapr_have_their_licence_and_are_those_of_the_version_of_the_course():
    folder = dashboards.FOLDER / "dapr"
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "v1.18.1" in (folder / "README.md").read_text()
    assert {f.name for f in folder.glob("*.json")} == set(dashboards.changes())


def test_the_page_lists_every_change_and_every_panel_that_is_left_out():
    page = (paths.repo() / "docs" / "views.md").read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if re.match(r"\| [^|]+ \| (asked otherwise|left out) \|", line)
    ]
    expected = [
        ["<br>".join(c["panels"]), "asked otherwise" if "put" in c else "left out", c["why"]]
        for changes in dashboards.changes().values()
        for c in changes
    ]
    assert rows == expected
    for name in DAPR:
        theirs = dashboards.read(dashboards.COURSE[name])
        counted = f"{len(dashboard(name).panels)} of {len(theirs.panels)} | [{theirs.file.name}]"
        assert counted in page
    assert f"this course | {len(dashboard('workflows').panels)} |" in page


def test_the_dashboard_of_the_course_is_one_that_grafana_imports():
    told = json.loads(dashboards.COURSE["workflows"].read_text("utf-8"))
    assert len({p["id"] for p in told["panels"]}) == len(told["panels"])
    assert {p["datasource"]["uid"] for p in told["panels"]} == {"${datasource}"}
    assert {v["name"] for v in told["templating"]["list"]} == {"datasource", "app_id"}
