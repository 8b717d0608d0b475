"""The two parts of an app, its ports, and what all apps of a lab share. Starts nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from labkit.notebook.texts import Text
from labkit.processes.ports import PortBlock, require_free

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from labkit.infrastructure.trust import Trust
    from labkit.runfile import AppSpec

HOST = "127.0.0.1"
Part = Literal["sidecar", "worker"]
PARTS: tuple[Part, ...] = ("sidecar", "worker")


@dataclass(frozen=True)
class Shared:
    """What all apps of a lab share, as the kernel that runs it and any other one know it.

    Attributes:
        folder: the run folder.
        token: what the sidecar APIs ask for in the header ``dapr-api-token``.
        resources: replaces the resources that the run file names, when given.
        trust: the certificates of this lab; None without mTLS.
        run_file, loaded_at: the deployment, and when it was read, in seconds of the epoch.
    """

    folder: Path
    token: str
    resources: tuple[Path, ...] | None
    http: httpx.Client
    run_file: Path
    loaded_at: float
    trust: Trust | None = None

    def log(self, name: str, part: Part) -> Path:
        """Return the file with the output of a part of an app or replica."""
        return self.folder / "logs" / f"{name}.{part}.log"


@dataclass(frozen=True)
class Ports:
    """The ports of one app on loopback.

    Attributes:
        http, grpc: the APIs of the sidecar.
        internal: where other sidecars reach it.
        app: what the service is told in ``APP_PORT``.
        profile: 0 unless the run file asks for profiling.
    """

    http: int
    grpc: int
    internal: int
    metrics: int
    app: int
    profile: int = 0

    @classmethod
    def choose(cls, spec: AppSpec, block: PortBlock, internal: int = 0) -> Ports:
        """Choose the ports of an app; those that the run file names are used as given.

        Args:
            internal: the one that other sidecars have been told; 0 for none yet.

        Raises:
            PortTaken: a port that the run file names is in use.
        """

        def port(named: int | None, what: str) -> int:
            if not named:
                return block.take()
            return require_free(named, f"{what} {named} of {spec.name}, named by the run file")

        return cls(
            http=port(spec.dapr_http_port, "daprHTTPPort"),
            grpc=port(spec.dapr_grpc_port, "daprGRPCPort"),
            internal=internal
            if internal and not spec.dapr_internal_grpc_port
            else port(spec.dapr_internal_grpc_port, "daprInternalGRPCPort"),
            metrics=port(spec.metrics_port, "metricsPort"),
            app=port(spec.app_port, "appPort"),
            profile=port(spec.profile_port, "profilePort")
            if spec.settings.get("enableProfiling")
            else 0,
        )

    def facts(self) -> dict[str, int]:
        """Return what the run folder keeps of them; see :meth:`read`."""
        return {f"{name}_port": port for name, port in asdict(self).items()}

    @classmethod
    def read(cls, facts: Mapping[str, int]) -> Ports:
        """Return the ports that a run folder keeps."""
        return cls(**{name.removesuffix("_port"): port for name, port in facts.items()})


def written(log: Path, lines: int | None = None) -> Text:
    """Return what a log holds, or its last lines; "" when there is none."""
    text = log.read_text("utf-8", "replace") if log.exists() else ""
    return Text(text if lines is None else "\n".join(text.splitlines()[-lines:]))
