"""How wide a text is at 13 px in a system font; generous, so that labels never overlap."""

from __future__ import annotations

from collections.abc import Mapping

_NARROW, _WIDE = "ijlI.,:;'|!()[] ", "mwMW@%…×—"
_WIDTHS: Mapping[str, float] = {**dict.fromkeys(_NARROW, 4.6), **dict.fromkeys(_WIDE, 12.0)}
_CAPITAL, _OTHER = 9.6, 7.9


def width_of(text: str) -> float:
    """Return the width in pixels."""
    return sum(_WIDTHS.get(c) or (_CAPITAL if c.isupper() else _OTHER) for c in text)
