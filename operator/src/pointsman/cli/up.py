"""`pointsman up PATH…`: serve the models and routes of some files on this machine."""

import asyncio
import os
from importlib import import_module
from pathlib import Path
from typing import TextIO, cast

import click
import structlog

from pointsman.local.display.terminal import Terminal
from pointsman.local.listening import parse_listen
from pointsman.local.own_log import LossyLog
from pointsman.local.run import LocalMode, UpSettings
from pointsman.local.scaling import Scaling
from pointsman.local.state import default_cache_path, default_state_path, unwritable

DEFAULT_LISTEN = "127.0.0.1:8080"


@click.command(
    epilog="Examples: pointsman up examples/quickstart · pointsman up models.yaml routes/ --listen 0.0.0.0:80"
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@click.option(
    "--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", help="Where clients connect."
)
@click.option(
    "--metrics",
    default="",
    metavar="HOST:PORT",
    help="Where Prometheus may ask for /metrics.  [default: nowhere]",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where status, logs and what runs are kept.  [default: ~/.local/state/pointsman/local]",
)
def command(paths: tuple[Path, ...], listen: str, metrics: str, state_dir: Path | None) -> None:
    """Serve the models and routes of some files on this machine.

    PATHs are YAML files, or folders with YAML files. They are watched: an edit takes effect at once, what
    it does not touch goes on undisturbed, and a mistake in it changes nothing. Ctrl-C ends everything; what
    runs has a few seconds to finish, a second Ctrl-C ends it at once.
    """
    settings = UpSettings(
        paths=paths,
        listen=parse_listen(listen),
        state=(state_dir or default_state_path(os.environ)).absolute(),
        cache=default_cache_path(os.environ),
        metrics=parse_listen(metrics, option="--metrics") if metrics else None,
    )
    log_to(settings.state / "logs")
    asyncio.run(LocalMode(settings, Terminal(), machine_scaling).serve())


def machine_scaling() -> Scaling:
    """Imported where something is scaled: it takes longer to load than all the rest."""
    found: Scaling = import_module("pointsman_autoscaler.loop.on_machine").MachineScaling()
    return found


def log_to(folder: Path) -> None:
    """Our own log goes to a file: the terminal has lines for people.

    Raises PointsmanError when it cannot be written.
    """
    path = folder / "up.log"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = path.open("a", buffering=1)
    except OSError as error:
        raise unwritable(path, error) from error
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, LossyLog(log))),
    )
