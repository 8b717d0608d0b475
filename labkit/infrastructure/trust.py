"""mTLS in a lab: who asks for it, and what sentry and all that it signs for are given.

A run file asks for it as it asks the Dapr CLI: ``configFilePath`` names a Configuration with
``spec.mtls.enabled: true``. Outside Kubernetes daprd itself does not read that field: the CLI does,
for each app, and adds ``--enable-mtls`` and ``--sentry-address`` (dapr/cli, pkg/standalone/run.go,
mtlsEndpoint). So an app whose Configuration says nothing has no certificate, in a lab as there.

Sentry makes the root certificate itself when its folder has none, and writes its key with mode
0600 (dapr/dapr v1.18.1, pkg/sentry/server/ca/selfhosted.go:51). It signs for whoever asks: the
validator of self-hosted mode is called "insecure".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from labkit.errors import DeploymentError
from labkit.reading import plainfile, yamltree
from labkit.reading.yamltree import MOST_BYTES, NotYaml, WrongNode

ANCHORS = "DAPR_TRUST_ANCHORS"
"""The variable in which a sidecar finds the root certificate (cmd/daprd/options/options.go:249)."""
_KEYS: dict[str, type | None] = {
    "enabled": bool,
    "workloadCertTTL": None,  # and the rest is sentry's to judge
    "allowedClockSkew": None,
    "controlPlaneTrustDomain": None,
    "sentryAddress": None,
    "tokenValidators": None,
}


class WrongConfiguration(DeploymentError):
    """A Configuration that a run file names cannot be used as it is."""

    code = "wrong-configuration"


def is_wanted(config: Path | None) -> bool:
    """Whether a Configuration asks for mTLS; one that cannot be opened is the sidecar's to report.

    Raises:
        WrongConfiguration: it is not valid YAML, or what it says about mTLS is wrong; names the
            line.
    """
    if config is None:
        return False
    try:
        root = next(yamltree.documents(plainfile.read(config, MOST_BYTES)), None)
    except OSError:
        return False
    except NotYaml as problem:
        raise _wrong(config, problem.line, problem.what, problem.fix) from None
    wrong: list[WrongNode] = []
    given = yamltree.pairs(_mtls(root), _KEYS, "spec.mtls", wrong)
    for one in wrong:
        raise _wrong(config, one.line, one.what, one.fix)
    return bool(given["enabled"].value) if "enabled" in given else False


def _mtls(root: yaml.Node | None) -> yaml.Node | None:
    node = root
    for key in ("spec", "mtls"):
        found = yamltree.find(node, key)
        if found is None:
            return None
        node = found[1]
    return node


def _wrong(file: Path, line: int, what: str, fix: str) -> WrongConfiguration:
    return WrongConfiguration(
        f"{yamltree.cut(file.name)}, line {line}: {yamltree.cut(what, 90)}",
        asked=f"whether {file} asks for mTLS",
        found=what,
        look_at=f"{file}:{line}",
        fix=f"{fix}, then make the lab again",
    )


@dataclass(frozen=True)
class Trust:
    """The certificates of one lab.

    Attributes:
        folder: certificates and keys; ``sentry`` in it holds the root certificate, sentry's own,
            and its key. Sentry starts over whenever something in there changes, so whatever others
            write has a place of its own.
        config: the Configuration that asked for it; sentry reads ``workloadCertTTL`` there.
        address: ``host:port`` of sentry.
    """

    folder: Path
    config: Path
    address: str

    @classmethod
    def of_run(cls, run_folder: Path, config: Path, address: str) -> Trust:
        """Return the certificates of the lab with this run folder."""
        return cls(run_folder / "certificates", config, address)

    @classmethod
    def noted(cls, run_folder: Path, facts: Mapping[str, str] | None) -> Trust | None:
        """Return what a run noted of its certificates (see ``facts``); None without mTLS."""
        if not facts:
            return None
        return cls.of_run(run_folder, Path(facts["config"]), facts["address"])

    @property
    def facts(self) -> dict[str, str]:
        """What others have to know, besides the run folder."""
        return {"config": str(self.config), "address": self.address}

    @property
    def port(self) -> int:
        """The port of sentry."""
        return int(self.address.rpartition(":")[2])

    @property
    def anchors(self) -> Path:
        """The file with the root certificate, by which everybody knows whom to believe."""
        return self.issuer / "ca.crt"

    @property
    def issuer(self) -> Path:
        """The folder of sentry."""
        return self.folder / "sentry"

    def sentry(self, program: Path, health_port: int) -> list[str]:
        """Return the command line of sentry.

        Its metrics listen on all interfaces whatever it is told (cmd/sentry/app/app.go:150 passes
        no address), so they are off; so does its health server, which a lab needs.
        """
        return [
            str(program),
            *("--config", str(self.config)),
            *("--issuer-credentials", str(self.issuer)),
            *("--listen-address", self.address.rpartition(":")[0]),
            *("--port", str(self.port)),
            *("--healthz-port", str(health_port)),
            "--enable-metrics=false",
        ]

    def of_placement(self) -> list[str]:
        """Return the flags by which placement takes part."""
        anchors = ("--trust-anchors-file", str(self.anchors))
        return ["--tls-enabled", *anchors, "--sentry-address", self.address]

    def of_scheduler(self) -> list[str]:
        """Return the flags by which the scheduler takes part.

        It writes its own key to a file, by default to one below /tmp for all (options.go:136).
        """
        own = str(self.folder / "scheduler")
        return [*self.of_placement(), "--identity-directory-write", own]

    def of_sidecar(self) -> list[str]:
        """Return the flags that the Dapr CLI gives a sidecar, with the address of this sentry."""
        return ["--enable-mtls", "--sentry-address", self.address]

    def env(self) -> dict[str, str]:
        """Return what a sidecar has in its environment: the root certificate, once it is there."""
        return {ANCHORS: self.anchors.read_text("utf-8")} if self.anchors.exists() else {}
