"""Data for a counter-scenario: drawn when the check runs, so that no answer can know it before."""

from __future__ import annotations

import random
import secrets
from typing import Any

NAMES = ("amira", "bo", "chen", "dana", "emeka", "farid", "greta", "hiro", "ines", "jonas", "kofi")
VERBS = ("Review", "Update", "Translate", "Archive", "Sign", "Plan", "Measure", "Replace")
THINGS = (
    "the contract",
    "the roof plan",
    "the price list",
    "the wiring",
    "the survey",
    "the lease",
)


class Draw:
    """A source of orders, names and texts.

    Args:
        seed: makes the same data again; None draws a new one.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = secrets.randbits(32) if seed is None else seed
        self._random = random.Random(self.seed)

    def number(self, low: int = 1000, high: int = 9999) -> int:
        """Return a whole number, both ends included."""
        return self._random.randint(low, high)

    def word(self) -> str:
        """Return a lower-case word that no file contains."""
        return "".join(self._random.choices("bcdfghjklmnpqrstvwxz", k=8))

    def instance_id(self) -> str:
        """Return an instance ID."""
        return f"seen-{self.word()}"

    def email(self, domain: str = "example.com") -> str:
        """Return the address of a person; the domain is that of the company by default."""
        name, number = self._random.choice(NAMES), self.number()
        shape = self._random.choice(("{}.{}", "{}-{}", "{}_{}", "{}+{}", "{}-{}.w"))
        return f"{shape.format(name, number)}@{domain}"

    def task_id(self) -> str:
        """Return the ID of a task, in one of several forms and lengths."""
        number = self.number()
        shapes = ("task-{0}", "T-{1}", "task-{0}-b", "{2}-{0}", "task-{0}{1}", "{1}-task")
        return self._random.choice(shapes).format(number, number % 97 + 3, self.word()[:4])

    def title(self) -> str:
        """Return the title of a task."""
        return f"{self._random.choice(VERBS)} {self._random.choice(THINGS)} {self.number()}"

    def text(self, words: int) -> str:
        """Return a text of random words, which cannot be compressed well."""
        return " ".join(self.word() for _ in range(words))

    def order(self, **changes: Any) -> dict[str, Any]:
        """Return an order as the scenario of the notebook has it, with other data."""
        email = self.email()
        return {
            "task_id": self.task_id(),
            "title": self.title(),
            "assignee_email": email,
            "assignee_user_id": f"user-{self.word()}",
            **changes,
        }
