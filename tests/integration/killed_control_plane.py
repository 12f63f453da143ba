"""Starts a control plane and a node with a pod in a folder, says "ready", and waits to be killed."""

import signal
import sys
from pathlib import Path
from typing import Any

from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node import Image, NodeSettings, RunningNode


def pod(folder: Path) -> dict[str, Any]:
    """Its processes have the folder's name in their command lines."""
    script = f"setsid sh -c 'while sleep 1; do : {folder}; done' & while sleep 1; do : {folder}; done"
    container = {"name": "main", "image": "shell:1", "args": [script]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "left"},
        "spec": {"nodeName": "node", "containers": [container]},
    }


def main(folder: Path) -> None:
    plane = ControlPlane.start(Options(controller_manager=False, scheduler=False), folder=folder)
    settings = NodeSettings(name="node", images=(Image("shell:*", ("/bin/sh", "-c")),))
    with RunningNode(plane, settings, folder=folder / "node"):
        plane.admin.create(pod(folder))
        plane.admin.wait_for("v1", "Pod", "left", until=lambda found: found["status"]["phase"] == "Running")
        print("ready", flush=True)
        signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
