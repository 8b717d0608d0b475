"""What one cycle does, drawn from its seed: when it kills, and whom."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

KERNEL, LIFELINE = "kernel", "lifeline"
VICTIMS: tuple[tuple[str, ...], ...] = (
    (KERNEL,),
    (LIFELINE,),
    (KERNEL, LIFELINE),
    ("mail",),
    ("placement",),
    ("scheduler",),
    ("placement", "scheduler"),
    ("caller worker",),
    ("caller sidecar",),
    ("caller sidecar", "caller worker"),
    ("target worker",),
    ("target sidecar",),
    ("target sidecar", "target worker"),
    ("caller sidecar", "target sidecar"),
)
"""What is killed at once; a name is that of a process in the journal of a run."""
MOMENTS = ("up", "running", "running", "down")
KINDS = ("sequence", "fan", "child", "timer", "timer")
MOST_KILLS = 3


@dataclass(frozen=True)
class Kill:
    """One blow.

    Attributes:
        after: seconds since the step before.
        victims: names of processes, ``kernel`` and ``lifeline`` among them.
        again: seconds until ``lab.up()`` starts again what has ended.
    """

    after: float
    victims: tuple[str, ...]
    again: float


@dataclass(frozen=True)
class Plan:
    """One cycle.

    Attributes:
        moment: ``up``, ``running`` or ``down``.
        workflows: name to kind.
    """

    seed: int
    moment: str
    kills: tuple[Kill, ...]
    workflows: dict[str, str]

    def __str__(self) -> str:
        said = ", then ".join(f"{' and '.join(k.victims)} at {k.after:.2f} s" for k in self.kills)
        return f"seed {self.seed}, {self.moment}: {said}"


def draw(seed: int) -> Plan:
    """Return the cycle of a seed; the same one each time."""
    rng = random.Random(seed)
    moment = MOMENTS[seed % len(MOMENTS)]
    count = rng.randint(1, MOST_KILLS) if moment == "running" else 1
    kills = tuple(_kill(rng, seed, n, moment) for n in range(count))
    return Plan(seed, moment, kills, {f"{kind}{n}": kind for n, kind in enumerate(KINDS)})


def expected(name: str, kind: str) -> Sequence[str]:
    """Return the right output of a workflow, which is also what its activities note."""
    keys = {"sequence": (1, 2, 3), "fan": range(5), "child": (1,), "timer": (1,)}[kind]
    return [f"{name}.{n}" for n in keys]


def _kill(rng: random.Random, seed: int, number: int, moment: str) -> Kill:
    # The first in turn over the seeds, so that few cycles meet every victim.
    turn = VICTIMS[seed // len(MOMENTS) % len(VICTIMS)]
    victims = rng.choice(VICTIMS) if number else turn
    after = rng.uniform(0, {"up": 1.5, "running": 2.0, "down": 0.3}[moment])
    return Kill(round(after, 3), victims, round(rng.choice((0.0, 0.0, rng.uniform(0, 1.5))), 3))
