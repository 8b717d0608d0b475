"""Charts, overlays and Compose files: named once, and never taken for the whole."""

from __future__ import annotations

import pytest

from labkit import preflight
from labkit.preflight import inspect
from tests.support.manifests import SDK, about, app, broken, calling, store, write

TEMPLATE = app("billing", "{{ .Release.Namespace }}")


def source(folder):
    file = folder / "orders.py"
    file.write_text(SDK + calling("call_activity('charge', app_id='billing')"))
    return file


def chart(folder, count=3):
    """A chart with templates, a subchart, values, and a schema in crds."""
    for part in ("templates", "charts/sub/templates", "crds"):
        (folder / part).mkdir(parents=True)
    for place in (folder, folder / "charts" / "sub"):
        write(place, Chart="apiVersion: v2\nname: shop\n", values="a: {{ not read }}\n")
    write(folder / "templates", **{f"t{n}": TEMPLATE for n in range(count)})
    write(folder / "templates", ingress="{{- if .Values.ingress }}\nkind: Ingress\n{{- end }}\n")
    write(folder / "charts" / "sub" / "templates", plain="kind: Deployment\n")
    write(folder / "crds", kind="kind: CustomResourceDefinition\n")
    return folder


@pytest.mark.parametrize("named", ["", "shop", "shop/templates"])
def test_a_chart_is_one_finding_with_its_count(tmp_path, named):
    chart(tmp_path / "shop")
    (one,) = about(inspect([tmp_path / named]), "file")
    assert one.state == "cannot be known"
    assert "a chart of Helm with 5 templates" in one.why
    assert one.where.endswith("shop/Chart.yaml")
    assert one.fix.startswith("helm template")
    assert preflight.main([str(tmp_path)]) == 0


def test_an_app_that_a_chart_may_deploy_cannot_be_known(tmp_path):
    write(tmp_path, a=app("orders"), s=store())
    found = inspect([tmp_path], [source(tmp_path)])
    assert broken(found) == ["names"]
    chart(tmp_path / "shop")
    (one,) = about(inspect([tmp_path], [source(tmp_path)]), "names")
    assert one.state == "cannot be known"
    assert one.why.endswith("not read: the chart shop")


def test_templates_without_a_chart_are_one_finding_for_each_folder(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, a=TEMPLATE, b="{{ if x }}\n{{ end }}\na: [\n", c="a: {{ x }}\n")
    found = about(inspect([tmp_path]), "file")
    assert [f.state for f in found] == ["cannot be known"] * 2
    assert {f.why.partition(" files")[0] for f in found} == {"2"}


# --- Kustomize ------------------------------------------------------------------------------------


def overlay(folder, text, **files):
    """A base with two apps, of which one has no app ID yet, and an overlay."""
    base, top = folder / "base", folder / "overlay"
    for place in (base, top):
        place.mkdir()
    bare = app("billing").replace("        dapr.io/app-id: billing\n", "")
    write(base, a=app("orders"), b=bare, s=store(), kustomization="resources: [a.yaml, b.yaml]\n")
    write(top, kustomization=f"resources: [../base]\n{text}", **files)
    return folder


def test_an_overlay_that_changes_what_is_read_is_named_and_nothing_is_broken(tmp_path):
    overlay(tmp_path, "patches: [{path: p.yaml}]\n", p=app("billing", "tasks"))
    found = inspect([tmp_path], [source(tmp_path)])
    (one,) = about(found, "file")
    assert (one.state, one.where) == (
        "cannot be known",
        f"{tmp_path / 'overlay' / 'kustomization.yaml'}:1",
    )
    assert "(patches)" in one.why
    assert broken(found) == []
    assert about(found, "sidecar")[0].why.endswith("(before Kustomize)")


def test_an_overlay_that_changes_nothing_is_not_named(tmp_path):
    overlay(tmp_path, "namespace: tasks\nimages: [{name: a, newTag: b}]\n")
    found = inspect([tmp_path])
    assert about(found, "file") == []
    assert broken(found) == ["sidecar"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("namespace: prod\n", "namespace"),
        ("components: [../x]\n", "components"),
        ("commonAnnotations: {dapr.io/app-id: billing}\n", "commonAnnotations"),
        ("helmCharts: [{name: redis}]\n", "helmCharts"),
    ],
)
def test_each_way_to_change_what_is_read_is_named(tmp_path, text, words):
    overlay(tmp_path, text)
    (one,) = about(inspect([tmp_path]), "file")
    assert f"({words})" in one.why


# --- Compose --------------------------------------------------------------------------------------

COMPOSE = """\
version: "3.8"
services:
  orders: {build: .}
  orders-dapr: {image: "daprio/daprd:1.18.1", command: ["./daprd", "--app-id", "orders"]}
"""


def test_a_compose_file_with_sidecars_is_named_as_not_read(tmp_path):
    write(tmp_path, **{"docker-compose": COMPOSE})
    (one,) = about(inspect([tmp_path]), "file")
    assert one.state == "cannot be known"
    assert one.why == "this is a Compose file with 1 sidecar of Dapr; Compose is not read"


def test_a_compose_file_without_dapr_is_named_only_where_it_is_all_there_is(tmp_path):
    write(tmp_path, compose="services:\n  db: {image: redis}\n")
    (one,) = about(inspect([tmp_path]), "file")
    assert one.why == "this is a Compose file; Compose is not read"
    write(tmp_path, a=app("one"), s=store())
    assert about(inspect([tmp_path]), "file") == []
