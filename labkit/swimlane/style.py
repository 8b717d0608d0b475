"""Colours and the frame that all pictures of the course share.

Ink and paper are those of the page: JupyterLab's, VS Code's, else the browser's own pair. All
colours have a contrast of 3 : 1 or more on both; none carries a meaning alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

INK = "var(--jp-content-font-color1,var(--vscode-editor-foreground,CanvasText))"
PAPER = "var(--jp-layout-color0,var(--vscode-editor-background,Canvas))"
BLUE, GREEN, RED, AMBER = "#3b7dd8", "#2b9465", "#d64545", "#b9770e"
COLOUR: Mapping[str, str] = {"completed": BLUE, "failed": RED, "running": AMBER, "cut": AMBER}
HALO = f'style="paint-order:stroke;stroke:{PAPER};stroke-width:5px;stroke-linejoin:round"'
LEAST = 800
"""Least width in pixels: below it a text would be smaller than 11 px, so the picture scrolls."""


def opened(ident: str, width: float, height: float, title: str, description: str) -> str:
    """Return the opening of an SVG picture that has a name and a description."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}" '
        f'style="display:block;width:100%;min-width:{min(LEAST, width):g}px;max-width:{width:g}px;'
        f'font:13px system-ui,sans-serif;color:{INK};background:{PAPER}" fill="currentColor" '
        f'aria-labelledby="{ident}t" aria-describedby="{ident}d">'
        f'<title id="{ident}t">{escape(title)}</title>'
        f'<desc id="{ident}d">{escape(description)}</desc>'
    )


def hatching(ident: str) -> str:
    """Return the pattern ``IDENTh``."""
    return (
        f'<pattern id="{ident}h" width="7" height="7" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><line x1="0" y1="0" x2="0" y2="7" stroke="currentColor" '
        f'stroke-opacity=".5" stroke-width="2"/></pattern>'
    )


def scrolling(svg: str, name: str) -> str:
    """Return a picture in a frame that scrolls sideways where the page is narrower."""
    return (
        f'<div role="group" aria-label="{escape(name)}" tabindex="0" '
        f'style="overflow-x:auto;max-width:100%">{svg}</div>'
    )
