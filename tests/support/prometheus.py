"""A real Prometheus: the one on PATH, or Debian's package, unpacked once into the cache and not installed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from tests.support.cluster.component import Component
from tests.support.polling import eventually
from tests.support.ports import free_port

SCRAPE_SECONDS = 1
_PACKAGE = "prometheus"


def program(name: str = "prometheus", environment: Mapping[str, str] = os.environ) -> Path:
    """prometheus or promtool. Raises RuntimeError where neither PATH nor apt has them."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pointsman" / "prometheus"
    unpacked = cache / "usr" / "bin" / name
    if not unpacked.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not unpacked.exists():
                _unpack(cache)
    return unpacked


def _unpack(cache: Path) -> None:
    packages = cache / "packages"
    packages.mkdir(exist_ok=True)
    try:
        _run(["apt-get", "download", _PACKAGE], packages)
        [package] = packages.glob(f"{_PACKAGE}_*.deb")
        _run(["dpkg", "-x", str(package), str(cache)], cache)
    finally:
        shutil.rmtree(packages)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RuntimeError(
            "the tests run a real Prometheus; put one on PATH, or run them where apt-get and dpkg are"
        ) from None
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}; or put prometheus on PATH")


class Prometheus(Component):
    """Scrapes the agents of engines as the PodMonitors of ModelDeployments ask, only more often."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "prometheus.yaml"
        configuration.write_text(yaml.safe_dump(_configuration(kubeconfig)))
        super().__init__(
            "prometheus",
            [
                str(program()),
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            folder / "prometheus.log",
        )

    def __enter__(self) -> Prometheus:
        self.start()
        eventually(self._is_ready, 30, "Prometheus is ready")
        return self

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return int(answer.status) == 200
        except OSError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running:
            self.kill()


def _configuration(kubeconfig: Path) -> dict[str, Any]:
    """What the Prometheus operator makes of a PodMonitor: port by name, labels of namespace and pod."""
    meta = "__meta_kubernetes_pod_"
    labels = {
        "__meta_kubernetes_namespace": "namespace",
        f"{meta}name": "pod",
        f"{meta}label_pointsman_dev_deployment": "pointsman_dev_deployment",
        f"{meta}label_pointsman_dev_pool": "pointsman_dev_pool",
    }
    return {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"},
        "scrape_configs": [
            {
                "job_name": "engines",
                "kubernetes_sd_configs": [{"role": "pod", "kubeconfig_file": str(kubeconfig)}],
                "relabel_configs": [
                    _keep(f"{meta}label_pointsman_dev_role", "leader"),
                    _keep(f"{meta}container_port_name", "agent"),
                    *(
                        {"source_labels": [source], "target_label": target}
                        for source, target in labels.items()
                    ),
                ],
            }
        ],
    }


def _keep(label: str, value: str) -> dict[str, Any]:
    return {"source_labels": [label], "regex": value, "action": "keep"}
