"""One picture of what Dapr is here: its parts, the learner's parts, and what talks to what.

Always the same drawing; one part can be highlighted. It shows no run and asks nothing of a lab.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from typing import Any, Literal

from labkit.errors import ObservationError
from labkit.swimlane.style import BLUE, GREEN, HALO, PAPER, opened, scrolling

TITLE = "What runs on this machine: Dapr's parts, your parts, and what talks to what"
WIDTH, HEIGHT = 880.0, 462.0
Owner = Literal["yours", "Dapr's", "store"]


class NoSuchPart(ObservationError):
    """The picture does not show what was asked for."""

    code = "no-such-part"


@dataclass(frozen=True)
class Box:
    """One part in the drawing; ``lines`` say below its name what it does."""

    part: str
    name: str
    lines: tuple[str, ...]
    owner: Owner
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Frame:
    """A frame around parts that belong together."""

    part: str
    name: str
    x: float
    y: float
    width: float
    height: float
    name_x: float
    anchor: Literal["start", "end"] = "start"


@dataclass(frozen=True)
class Link:
    """An arrow; ``both`` ends have a head where each side asks the other."""

    ends: tuple[str, str]
    path: str
    both: bool
    label: str = ""
    label_at: tuple[float, float] = (0, 0)


DOES = {
    "notebook": "starts workflows and asks how they are; talks to a sidecar",
    "app": "a worker and its sidecar together, known by one app ID",
    "worker": "the process of your service: runs its workflows and activities; connected to its"
    " sidecar, from which it gets work and to which it returns results",
    "sidecar": "the program daprd, one beside each service: hands out work, records every step,"
    " calls other apps; talks to its worker, other sidecars, the control plane and the state store",
    "control plane": "placement and scheduler: one of each for all apps",
    "placement": "knows which app runs where; sidecars ask it before they call another app",
    "scheduler": "wakes workflows at the right time; sidecars leave reminders with it",
    "state store": "keeps the history of every workflow; only sidecars talk to it",
}
ALSO = {
    "daprd": "sidecar",
    "service": "worker",
    "store": "state store",
    "actor state store": "state store",
    "reminders": "scheduler",
    "client": "notebook",
    "apps": "app",
}
MEMBERS = {"app": ("worker", "sidecar"), "control plane": ("placement", "scheduler")}
_WORKER = ("runs your workflows", "and activities")
_SIDECAR = ("hands out work,", "records every step")
BOXES = (
    Box("placement", "placement", ("knows which app", "runs where"), "Dapr's", 252, 40, 180, 70),
    Box(
        "scheduler",
        "scheduler",
        ("wakes workflows", "at the right time"),
        "Dapr's",
        448,
        40,
        180,
        70,
    ),
    Box("worker", "worker", _WORKER, "yours", 30, 188, 156, 74),
    Box("sidecar", "sidecar (daprd)", _SIDECAR, "Dapr's", 262, 188, 146, 74),
    Box("sidecar", "sidecar (daprd)", _SIDECAR, "Dapr's", 472, 188, 146, 74),
    Box("worker", "worker", _WORKER, "yours", 694, 188, 156, 74),
    Box(
        "notebook",
        "your notebook",
        ("starts workflows,", "asks how they are"),
        "yours",
        30,
        338,
        156,
        74,
    ),
    Box(
        "state store",
        "state store",
        ("keeps the history", "of every workflow"),
        "store",
        290,
        336,
        300,
        82,
    ),
)
FRAMES = (
    Frame("control plane", "control plane", 240, 8, 400, 112, 254),
    Frame("app", "an app, known by its app ID", 16, 154, 404, 122, 30),
    Frame("app", "another app", 460, 154, 404, 122, 850, "end"),
)
LINKS = (
    Link(("sidecar", "control plane"), "M335 186V122", True),
    Link(("sidecar", "control plane"), "M545 186V122", True),
    Link(("sidecar", "worker"), "M260 214H188", False, "work", (224, 208)),
    Link(("worker", "sidecar"), "M188 238H260", False, "results", (224, 254)),
    Link(("sidecar", "worker"), "M620 214H692", False, "work", (656, 208)),
    Link(("worker", "sidecar"), "M692 238H620", False, "results", (656, 254)),
    Link(("sidecar", "sidecar"), "M410 226H470", True, "calls", (440, 218)),
    Link(("sidecar", "state store"), "M335 264V342", True),
    Link(("sidecar", "state store"), "M545 264V342", True),
    Link(("notebook", "sidecar"), "M188 372H284V266", False),
)


class DaprMap:
    """The picture, with the highlighted parts."""

    def __init__(self, parts: Iterable[str] = ()) -> None:
        self.parts = tuple(_known(part) for part in parts)

    @property
    def svg(self) -> str:
        """The picture, as SVG."""
        ident = "d" + sha256(repr(self.parts).encode()).hexdigest()[:10]
        lit = set(self.parts) | {m for p in self.parts for m in MEMBERS.get(p, ())}
        body = [
            opened(ident, WIDTH, HEIGHT, TITLE, self.text),
            f'<defs><marker id="{ident}a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" '
            'fill="currentColor"/></marker></defs>',
            *(_frame(frame, self.parts) for frame in FRAMES),
            *(_link(link, ident, lit) for link in LINKS),
            *(_box(box, lit) for box in BOXES),
            *_legend(),
        ]
        return "".join(body) + "</svg>"

    @property
    def text(self) -> str:
        """The same in words: the highlighted parts first."""
        lit = [p for p in DOES if p in self.parts]
        rest = [p for p in DOES if p not in self.parts]
        lines = [f"{'> ' if part in lit else '- '}{part}: {DOES[part]}" for part in [*lit, *rest]]
        return "\n".join([f"{TITLE}.", *lines])

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": scrolling(self.svg, "picture of Dapr"), "text/plain": self.text}


def dapr_here(*parts: str) -> DaprMap:
    """Return the picture of what runs here; the named parts are highlighted.

    Args:
        parts: ``"sidecar"``, ``"worker"``, ``"app"``, ``"placement"``, ``"scheduler"``,
            ``"control plane"``, ``"state store"`` or ``"notebook"``; none highlights nothing.

    Raises:
        NoSuchPart: the picture has no such part.
    """
    return DaprMap(parts)


def _known(part: str) -> str:
    name = part.strip().lower()
    name = ALSO.get(name, name)
    if name in DOES:
        return name
    near = get_close_matches(name, [*DOES, *ALSO], n=1)
    raise NoSuchPart(
        f"the picture of Dapr has no part {part!r}",
        asked=f"dapr_here({part!r})",
        found=f"its parts: {', '.join(DOES)}",
        look_at="dapr_here()",
        fix=f"dapr_here({near[0]!r})" if near else "name one of these parts",
    )


def _faded(is_lit: bool, any_lit: bool) -> str:
    return ' opacity=".62"' if any_lit and not is_lit else ""


def _frame(frame: Frame, parts: tuple[str, ...]) -> str:
    is_lit = frame.part in parts
    wide = ' stroke-width="3.5"' if is_lit else ' stroke-opacity=".4" stroke-dasharray="5 4"'
    return (
        f'<g><rect x="{frame.x:g}" y="{frame.y:g}" width="{frame.width:g}" '
        f'height="{frame.height:g}" rx="8" fill="none" stroke="currentColor"{wide}/>'
        f'<text x="{frame.name_x:g}" y="{frame.y + 22:g}" text-anchor="{frame.anchor}" '
        f'font-style="italic">{frame.name}</text>'
        "</g>"
    )


def _link(link: Link, ident: str, lit: set[str]) -> str:
    start = f' marker-start="url(#{ident}a)"' if link.both else ""
    faded = _faded(any(end in lit for end in link.ends), bool(lit))
    label = ""
    if link.label:
        x, y = link.label_at
        label = f'<text x="{x:g}" y="{y:g}" text-anchor="middle" {HALO}>{link.label}</text>'
    return (
        f'<g{faded}><path d="{link.path}" fill="none" stroke="currentColor" stroke-width="1.3"'
        f'{start} marker-end="url(#{ident}a)"/>{label}</g>'
    )


def _box(box: Box, lit: set[str]) -> str:
    is_lit = box.part in lit
    outline = _cylinder(box) if box.owner == "store" else _rounded(box)
    middle = box.x + box.width / 2
    top = box.y + (36 if box.owner == "store" else 23)
    lines = "".join(
        f'<text x="{middle:g}" y="{top + 17 * i:g}" text-anchor="middle" font-size="12.5">{line}'
        "</text>"
        for i, line in enumerate(box.lines, 1)
    )
    return (
        f"<g{_faded(is_lit, bool(lit))}>"
        f'<path d="{outline}" style="fill:{PAPER}"/>'
        f'<path d="{outline}" {_look(box.owner, is_lit)}/>'
        f'<text x="{middle:g}" y="{top:g}" text-anchor="middle" font-weight="600" font-size="14">'
        f"{box.name}</text>{lines}</g>"
    )


def _look(owner: Owner, is_lit: bool) -> str:
    colour = {"yours": BLUE, "Dapr's": GREEN, "store": "currentColor"}[owner]
    fill = {"yours": ".30", "Dapr's": ".10", "store": ".06"}[owner]
    return (
        f'fill="{colour}" fill-opacity="{fill}" stroke="{colour}" '
        f'stroke-width="{"4.5" if is_lit else "1.5"}"'
    )


def _rounded(box: Box) -> str:
    w, h = box.width - 12, box.height - 12
    return (
        f"M{box.x + 6:g} {box.y:g}h{w:g}q6 0 6 6v{h:g}q0 6 -6 6h-{w:g}q-6 0 -6 -6v-{h:g}q0 -6 6 -6z"
    )


def _cylinder(box: Box) -> str:
    rx, ry, tall = box.width / 2, 9.0, box.height - 18
    lid = f"a{rx:g} {ry:g} 0 0 0 {box.width:g} 0a{rx:g} {ry:g} 0 0 0 -{box.width:g} 0z"
    return (
        f"M{box.x:g} {box.y + ry:g}a{rx:g} {ry:g} 0 0 1 {box.width:g} 0v{tall:g}"
        f"a{rx:g} {ry:g} 0 0 1 -{box.width:g} 0zM{box.x:g} {box.y + ry:g}{lid}"
    )


def _legend() -> Iterator[str]:
    y = HEIGHT - 22
    entries: tuple[tuple[float, Owner, str], ...] = (
        (30, "yours", "filled: yours"),
        (170, "Dapr's", "outlined: Dapr's"),
    )
    for x, owner, words in entries:
        yield (
            f'<rect x="{x:g}" y="{y:g}" width="22" height="11" rx="3" '
            f"{_look(owner, False)}/>"
            f'<text x="{x + 30:g}" y="{y + 10:g}">{words}</text>'
        )
    yield f'<text x="340" y="{y + 10:g}">everything runs on this machine</text>'
