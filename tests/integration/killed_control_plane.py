"""Starts a control plane in the folder that is named, says "ready", and waits to be killed."""

import signal
import sys
from pathlib import Path

from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane

if __name__ == "__main__":
    started = ControlPlane.start(Options(controller_manager=False, scheduler=False), folder=Path(sys.argv[1]))
    print("ready", flush=True)
    signal.pause()
