"""Lets one activity of a service raise an exception, once; Python loads it at the start.

``LABKIT_RAISE`` is ``before|after:N:NAME``: the N-th call of the activity NAME raises, before or
after it has done its work. That it did is noted as a file ``raised`` in the folder of the ledger.
"""

import functools
import inspect
import os
import sys
from contextlib import suppress
from pathlib import Path

HERE = str(Path(__file__).resolve().parent)


def install(given):
    when, nth, wanted = given.split(":", 2)
    from dapr.ext.workflow import WorkflowRuntime

    register = WorkflowRuntime.register_activity
    calls = []

    def register_activity(self, fn, *, name=None):
        if (name or fn.__name__) != wanted:
            return register(self, fn, name=name)
        register(self, hooked := raising(fn), name=name)
        fn.__dict__ |= {k: v for k, v in vars(hooked).items() if k != "__wrapped__"}
        return None

    def raising(function):
        @functools.wraps(function)
        def called(*arguments):
            mine = is_mine()
            if mine and when == "before":
                fail()
            answer = function(*arguments)
            if mine and when == "after":
                fail()
            return answer

        @functools.wraps(function)
        async def awaited(*arguments):
            mine = is_mine()
            if mine and when == "before":
                fail()
            answer = await function(*arguments)
            if mine and when == "after":
                fail()
            return answer

        return awaited if inspect.iscoroutinefunction(function) else called

    def is_mine():
        calls.append(1)
        return len(calls) == int(nth)

    def fail():
        Path(os.environ["LEDGER"]).parent.joinpath("raised").touch()
        raise RuntimeError(f"cut: {wanted} raises {when} its work")

    WorkflowRuntime.register_activity = register_activity


if "LABKIT_RAISE" in os.environ:
    with suppress(ImportError):  # a service without the SDK
        install(os.environ["LABKIT_RAISE"])

# A sitecustomize of the machine comes after this one.
sys.path[:] = [p for p in sys.path if str(Path(p).resolve()) != HERE]
del sys.modules["sitecustomize"]
with suppress(ImportError):
    import sitecustomize  # noqa: F401
