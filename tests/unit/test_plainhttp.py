"""Questions to this machine need no certificates."""

from __future__ import annotations

import re
import ssl

import pytest

from labkit import paths
from labkit.reading import plainhttp

OWN = re.compile(r"httpx\.(Client|AsyncClient|HTTPTransport|get|post|put|request|stream)\(")


@pytest.mark.parametrize("socket", [None, "/no/such.socket"])
def test_no_certificate_is_read(monkeypatch, socket):
    read = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *a, **k: read.append(a))
    monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", lambda *a: read.append(a))
    plainhttp.client(socket=socket).close()
    assert read == []


def test_every_client_of_labkit_is_made_there():
    package = paths.repo() / "labkit"
    makers = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if OWN.search(file.read_text("utf-8"))
    }
    assert makers == {"reading/plainhttp.py"}
