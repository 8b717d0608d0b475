"""What a cluster would hold of these documents: by kind, namespace and name."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labkit.manifests.wrong import wrong
from labkit.preflight import Document
from labkit.preflight.parts import Part


@dataclass(frozen=True)
class Cluster:
    """Documents as ``kubectl apply`` leaves them: of two of one name the second one counts.

    Attributes:
        namespace: where a document goes that names none, as ``kubectl -n`` says.
    """

    documents: tuple[Document, ...]
    namespace: str

    @classmethod
    def of(cls, documents: Iterable[Document], namespace: str) -> Cluster:
        """Return what is left when all documents were applied in this order."""
        found: dict[tuple[str, str, str, str], Document] = {}
        for one in documents:
            space = one.namespace.text or namespace
            found[(one.group, one.kind, space, one.name)] = one
        return cls(tuple(found.values()), namespace)

    def space(self, document: Document) -> str:
        """Return the namespace of a document."""
        return document.namespace.text or self.namespace

    def named(self, kind: str, space: str, name: str, group: str = "") -> Document | None:
        """Return the document of a kind and name in a namespace; None where there is none."""
        key = (kind, space, name, group)
        found = ((d.kind, self.space(d), d.name, d.group) for d in self.documents)
        return next((d for d, k in zip(self.documents, found, strict=True) if k == key), None)

    def of_kind(self, kind: str, group: str = "") -> list[Document]:
        """Return the documents of a kind."""
        return [d for d in self.documents if d.kind == kind and d.group == group]

    def data(self, kind: str, space: str, name: str) -> Mapping[str, str] | None:
        """Return what a ConfigMap or Secret holds; None where there is none of this name.

        Raises:
            WrongManifest: a value of a Secret is not base64.
        """
        document = self.named(kind, space, name)
        if document is None:
            return None
        if kind == "ConfigMap":
            return _texts(document.body.get("data"))
        own = {key: _decoded(key, part) for key, part in document.body.get("data").keys}
        return {**own, **_texts(document.body.get("stringData"))}


def _texts(part: Part) -> dict[str, str]:
    return {key: value.text for key, value in part.keys}


def _decoded(key: str, part: Part) -> str:
    try:
        return base64.b64decode(part.text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as problem:
        fix = f"write it with base64, or as text under stringData: {key}: ..."
        raise wrong(part.where, f"{key} is not base64", str(problem), fix) from None
