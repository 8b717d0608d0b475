"""Lets an activity of a service raise an exception; Python loads it at the start.

``LABKIT_RAISE`` is ``before|after:N:NAME``: the N-th call of the activity NAME raises, once, before
or after it has done its work. Or it is ``asked``: a file ``raise`` says ``before|after:NAME``, and
each call raises as long as the file is there, with an error that no retry policy tries again. That
one did is noted as a file ``raised``. Both files are in the folder of the ledger.
"""

import functools
import inspect
import itertools
import os
import sys
from contextlib import suppress
from pathlib import Path

HERE = str(Path(__file__).resolve().parent)


class NonRetryableError(Exception):
    """An error of this name is not tried again by the SDK."""


class Nth:
    """One call of one activity."""

    error = RuntimeError

    def __init__(self, when, nth, name):
        self.when, self.nth, self.name = when, int(nth), name
        self.calls = itertools.count(1)

    def concerns(self, name):
        return name == self.name

    def moment(self, name):
        """Say when the call that begins now has to raise; "" when it has not."""
        return self.when if next(self.calls) == self.nth else ""


class Asked:
    """Every call of the activity that the file names."""

    error = NonRetryableError

    def concerns(self, name):
        return True

    def moment(self, name):
        with suppress(OSError):
            when, _, wanted = folder().joinpath("raise").read_text("utf-8").partition(":")
            return when if wanted == name else ""
        return ""


def folder():
    return Path(os.environ["LEDGER"]).parent


def install(given):
    from dapr.ext.workflow import WorkflowRuntime

    register = WorkflowRuntime.register_activity
    fault = Asked() if given == "asked" else Nth(*given.split(":", 2))

    def register_activity(self, fn, *, name=None):
        own = name or getattr(fn, "_dapr_alternate_name", fn.__name__)
        if not fault.concerns(own):
            return register(self, fn, name=name)
        register(self, hooked := raising(fn, own), name=name)
        fn.__dict__ |= {k: v for k, v in vars(hooked).items() if k != "__wrapped__"}
        return None

    def raising(function, name):
        @functools.wraps(function)
        def called(*arguments):
            moment = fault.moment(name)
            fail("before", moment, name)
            answer = function(*arguments)
            fail("after", moment, name)
            return answer

        @functools.wraps(function)
        async def awaited(*arguments):
            moment = fault.moment(name)
            fail("before", moment, name)
            answer = await function(*arguments)
            fail("after", moment, name)
            return answer

        return awaited if inspect.iscoroutinefunction(function) else called

    def fail(now, moment, name):
        if now == moment:
            folder().joinpath("raised").touch()
            raise fault.error(f"cut: {name} raises {now} its work")

    WorkflowRuntime.register_activity = register_activity


if "LABKIT_RAISE" in os.environ:
    with suppress(ImportError):  # a service without the SDK
        install(os.environ["LABKIT_RAISE"])

# A sitecustomize of the machine comes after this one.
sys.path[:] = [p for p in sys.path if str(Path(p).resolve()) != HERE]
mine = sys.modules.pop("sitecustomize")
with suppress(ImportError):
    import sitecustomize  # noqa: F401
sys.modules.setdefault("sitecustomize", mine)  # the import that is under way looks for it
