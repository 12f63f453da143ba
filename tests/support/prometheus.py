"""A real Prometheus: the one on PATH, or Debian's package, unpacked once into the cache and not installed."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from aiohttp import web

from pointsman.workloads import AGENT_PORT, naming
from pointsman_autoscaler.signals import promql
from tests.support.cluster.admin import Admin
from tests.support.cluster.component import Component
from tests.support.event_loop_thread import EventLoopThread
from tests.support.loopback_server import LoopbackServer
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
    for folder in ("lists/partial", "archives/partial"):
        (packages / folder).mkdir(parents=True, exist_ok=True)
    # Lists of its own: those of the machine may be empty, or name a version that is gone.
    apt = [
        "apt-get", "-o", f"Dir::State::Lists={packages / 'lists'}", "-o", f"Dir::Cache={packages}",
        "-o", "Debug::NoLocking=true",
    ]  # fmt: skip
    try:
        _run([*apt, "update"], packages)
        _run([*apt, "download", _PACKAGE], packages)
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


class PodDiscovery(LoopbackServer):
    """Tells a Prometheus of the agents of engines, with the labels that a PodMonitor gives them: Debian's
    build does not know Kubernetes.
    """

    def __init__(self, admin: Admin) -> None:
        self.port = 0
        self.is_hiding = False
        """Tells of nothing."""
        self._admin = admin

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/targets", self._targets)
        return app

    async def _targets(self, _: web.Request) -> web.Response:
        labels = f"{naming.DEPLOYMENT},{naming.ROLE}={naming.LEADER}"
        pods = await asyncio.to_thread(self._admin.list, "v1", "Pod", labels=labels)
        there = [] if self.is_hiding else [pod for pod in pods if pod.get("status", {}).get("podIP")]
        return web.json_response([_target(pod) for pod in there])


class Prometheus(Component):
    """Scrapes the agents of engines as the PodMonitors of ModelDeployments ask, only more often."""

    def __init__(self, folder: Path, admin: Admin, gateways: Sequence[str] = ()) -> None:
        """`gateways` are where gateways say their metrics, as host and port."""
        self._gateways = gateways
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.discovery = PodDiscovery(admin)
        self._thread = EventLoopThread("discovery")
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(
            "prometheus",
            [
                str(program()),
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            folder / "prometheus.log",
        )

    def __enter__(self) -> Prometheus:
        self._thread.__enter__()
        self._thread.call(self.discovery.__aenter__())
        discovery = f"http://127.0.0.1:{self.discovery.port}/targets"
        configuration = _configuration(discovery, self._gateways)
        (self._folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
        self.start()
        eventually(self._is_ready, 60, f"Prometheus is ready: {self.log_tail()}")
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
        self._thread.call(self.discovery.__aexit__(None, None, None))
        self._thread.__exit__(kind, error, trace)


def _configuration(discovery: str, gateways: Sequence[str]) -> dict[str, Any]:
    found = {"url": discovery, "refresh_interval": f"{SCRAPE_SECONDS}s"}
    return {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"},
        "scrape_configs": [
            {"job_name": "engines", "http_sd_configs": [found]},
            {"job_name": "gateways", "static_configs": [{"targets": list(gateways)}]},
        ],
    }


def _target(pod: Mapping[str, Any]) -> dict[str, Any]:
    """As the Prometheus operator makes it of a PodMonitor: namespace, pod, and the labels to carry over."""
    meta = pod["metadata"]
    labels = {
        "namespace": meta["namespace"],
        "pod": meta["name"],
        promql.DEPLOYMENT: meta["labels"][naming.DEPLOYMENT],
        "pointsman_dev_pool": meta["labels"].get(naming.POOL, ""),
    }
    return {"targets": [f"{pod['status']['podIP']}:{AGENT_PORT}"], "labels": labels}
