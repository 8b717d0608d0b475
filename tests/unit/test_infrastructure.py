"""The Configuration of the sidecars says where the apps of a lab are."""

from __future__ import annotations

import pytest
import yaml

from labkit.infrastructure.surroundings import configuration


@pytest.mark.parametrize("ports", [{}, {"a": 1}, {"a": 1, "b-c.d": 2, 'e"f': 3}])
def test_every_app_has_a_branch_and_an_unknown_one_fails(ports):
    resolver = yaml.safe_load(configuration(ports))["spec"]["nameResolution"]
    assert resolver["component"] == "kubernetes", "mDNS would ask the network"
    template = resolver["configuration"]["template"]
    assert [f"127.0.0.1:{p}" in template for p in ports.values()] == [True] * len(ports)
    assert template.count("{{if ") == template.count("{{end}}") == len(ports)
    assert "{{.ThisLabHasNoSuchApp}}" in template


def test_an_app_id_is_quoted():
    template = configuration({'e"f': 3})
    assert (
        'eq .ID "e\\"f"'
        in yaml.safe_load(template)["spec"]["nameResolution"]["configuration"]["template"]
    )
