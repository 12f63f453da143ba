"""Pointsman in a test cluster: the chart's objects as rendered, its programs with the chart's accounts."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.chart import render
from tests.support.cluster.component import Component
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.definitions import wait_served
from tests.support.ports import free_port

SYSTEM = "pointsman-system"
OPERATOR = "pointsman-operator"
GATEWAY = "pointsman-gateway"
AUTOSCALER = "pointsman-autoscaler"
OPERATOR_USER = f"system:serviceaccount:{SYSTEM}:{OPERATOR}"
AUTOSCALER_USER = f"system:serviceaccount:{SYSTEM}:{AUTOSCALER}"
_RIGHTS = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount")
_DEFINITION = "CustomResourceDefinition"
_PROGRAM = "pointsman.cli.main"


class Installation:
    """The chart's definitions, accounts and rights. As a context manager it leaves nothing behind.

    Its workloads are run by the tests, as processes that they can kill: see `operator`.
    """

    def __init__(self, control_plane: ControlPlane, values: Mapping[str, Any] | None = None) -> None:
        self.control_plane = control_plane
        self._objects = [
            one for one in render(values, namespace=SYSTEM) if one["kind"] in (*_RIGHTS, _DEFINITION)
        ]

    def __enter__(self) -> Installation:
        admin = self.control_plane.admin
        admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
        for one in sorted(self._objects, key=lambda one: str(one["kind"]) != _DEFINITION):
            admin.apply(one, SYSTEM)
        for one in self._objects:
            if one["kind"] == _DEFINITION:
                wait_served(admin, one)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        admin = self.control_plane.admin
        for one in reversed(self._objects):
            admin.delete(one["apiVersion"], one["kind"], one["metadata"]["name"], SYSTEM)
        admin.delete("v1", "Namespace", SYSTEM)

    def operator(
        self, name: str = "operator-0", *, arguments: Sequence[str] = (), program: Path | None = None
    ) -> OperatorProcess:
        """A replica of the operator, with the rights of the chart's account and no others. `program` is a
        folder that holds another version of the package.
        """
        kubeconfig = self.control_plane.account_kubeconfig(SYSTEM, OPERATOR)
        log = self.control_plane.folder / f"{name}.log"
        return OperatorProcess(name, kubeconfig, log, arguments, program)

    def autoscaler(
        self, name: str = "autoscaler-0", *, arguments: Sequence[str] = (), quick: bool = True
    ) -> AutoscalerProcess:
        """A replica of the autoscaler, with the rights of the chart's account and no others; `quick` with a
        policy that tests foresee.
        """
        kubeconfig = self.control_plane.account_kubeconfig(SYSTEM, AUTOSCALER)
        log = self.control_plane.folder / f"{name}.log"
        return AutoscalerProcess(name, kubeconfig, log, arguments, quick=quick)

    def gateway(
        self, name: str = "gateway-0", *, host: str = "127.0.0.1", arguments: Sequence[str] = ()
    ) -> GatewayProcess:
        """A gateway, with the rights of the chart's account alone; `host` is where it says how it is."""
        kubeconfig = self.control_plane.account_kubeconfig(SYSTEM, GATEWAY)
        return GatewayProcess(name, kubeconfig, self.control_plane.folder, host, arguments)


class GatewayProcess(Component):
    """`pointsman gateway`, which serves on `port` and says how it is on `metrics_port`. It is ended without a
    drain: kill -9 would leave its Envoy, which ends with its container elsewhere.
    """

    def __init__(
        self, name: str, kubeconfig: Path, folder: Path, host: str, arguments: Sequence[str]
    ) -> None:
        self.host = host
        self.port = free_port()
        self.metrics_port = free_port(host)
        self.metrics_url = f"http://{host}:{self.metrics_port}"
        super().__init__(
            name,
            [
                *("/usr/bin/env", f"KUBECONFIG={kubeconfig}"),
                *(sys.executable, "-m", "pointsman.cli.main", "gateway"),
                *("--listen", f"127.0.0.1:{self.port}", "--metrics", f"{host}:{self.metrics_port}"),
                *("--state-dir", str(folder / f"{name}.state"), "--drain", "0s"),
                *arguments,
            ],
            folder / f"{name}.log",
        )

    def __enter__(self) -> GatewayProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Controller(Component):
    """What controls a cluster. As a context manager it is started, and ended with a kill."""

    def __init__(
        self,
        program: Sequence[str],
        name: str,
        kubeconfig: Path,
        log: Path,
        arguments: Sequence[str],
        package: Path | None = None,
    ) -> None:
        self.port = free_port()
        environment = {"KUBECONFIG": str(kubeconfig), "POD_NAME": name, "POD_NAMESPACE": SYSTEM}
        if package is not None:
            environment["PYTHONPATH"] = str(package)
        super().__init__(
            name,
            [
                *("/usr/bin/env", *(f"{key}={value}" for key, value in environment.items())),
                *(sys.executable, "-m", *program),
                *("--listen", f"127.0.0.1:{self.port}"),
                *arguments,
            ],
            log,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running:
            self.kill()

    def page(self) -> str:
        """Its metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())


class OperatorProcess(_Controller):
    """`pointsman operator`."""

    def __init__(
        self, name: str, kubeconfig: Path, log: Path, arguments: Sequence[str], program: Path | None = None
    ) -> None:
        image = ("--agent-image", "pointsman:test")
        super().__init__((_PROGRAM, "operator"), name, kubeconfig, log, (*image, *arguments), program)


class AutoscalerProcess(_Controller):
    """`pointsman autoscaler`, or the same with a policy for tests where `quick`."""

    def __init__(
        self, name: str, kubeconfig: Path, log: Path, arguments: Sequence[str], *, quick: bool
    ) -> None:
        program = ("tests.support.cluster.quick_autoscaler",) if quick else (_PROGRAM, "autoscaler")
        super().__init__(program, name, kubeconfig, log, arguments)


def kubectl(kubeconfig: Path, *arguments: str, timeout_seconds: float = 60.0) -> str:
    """What kubectl prints. Raises AssertionError with its error where it fails."""
    program = Path(sys.executable).with_name("kubectl")
    ended = subprocess.run(
        [str(program), "--kubeconfig", str(kubeconfig), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        env={**os.environ, "HOME": str(kubeconfig.parent)},
        check=False,
    )
    assert ended.returncode == 0, f"kubectl {' '.join(arguments)}: {ended.stderr.strip()}"
    return ended.stdout
