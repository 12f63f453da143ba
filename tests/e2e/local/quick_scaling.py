"""`pointsman up` for whose autoscaler an hour passes in three minutes.

Replicas are held for one of its minutes, and nothing is foreseen.

A program: it takes the arguments of `pointsman up`.
"""

import asyncio
import os
import time
from pathlib import Path

import click

from pointsman.cli.up import log_to
from pointsman.local.display.terminal import Terminal
from pointsman.local.listening import parse_listen
from pointsman.local.run import LocalMode, UpSettings
from pointsman.local.state import default_cache_path
from pointsman_autoscaler.decision import Tuning
from pointsman_autoscaler.loop.on_machine import MachineScaling
from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.settings import ScalingSettings

_FASTER = 20.0
_LOOK_SECONDS = 0.5
_BEGAN = time.time()


class _Quick(Scaler):
    def __init__(self, settings: ScalingSettings) -> None:
        super().__init__(settings, Tuning(hold_seconds=60.0, has_forecast=False))

    @property
    def interval_seconds(self) -> float:
        return super().interval_seconds / _FASTER


def _faster(seconds: float) -> float:
    return _BEGAN + (seconds - _BEGAN) * _FASTER


@click.command()
@click.argument("up", type=click.Choice(["up"]))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--listen", required=True)
@click.option("--state-dir", required=True, type=click.Path(path_type=Path))
def main(up: str, folder: Path, listen: str, state_dir: Path) -> None:
    """Serve until asked to end."""
    settings = UpSettings((folder,), parse_listen(listen), state_dir, default_cache_path(os.environ))
    log_to(state_dir / "logs")

    def scaling() -> MachineScaling:
        return MachineScaling(_Quick, _LOOK_SECONDS, settling_seconds=0.0, time_of=_faster)

    mode = LocalMode(settings, Terminal(), scaling)
    asyncio.run(mode.serve())


if __name__ == "__main__":
    main()
