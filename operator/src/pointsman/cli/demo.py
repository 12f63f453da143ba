"""`pointsman demo`: the first five minutes, really."""

import asyncio
import os
from pathlib import Path

import click

from pointsman.cli.up import DEFAULT_LISTEN, log_to, machine_scaling
from pointsman.errors import PointsmanError
from pointsman.local.demonstration import Demonstration
from pointsman.local.display.terminal import Terminal
from pointsman.local.listening import Listen, free_port, parse_listen, refuse_if_taken
from pointsman.local.run import UpSettings
from pointsman.local.state import StateFolder, default_cache_path, default_state_path

ONCE = "DEMO_ONCE"


@click.command(epilog=f"Examples: pointsman demo · {ONCE}=1 pointsman demo examples/quickstart")
@click.argument("path", type=click.Path(path_type=Path), default=Path("examples/quickstart"))
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where status, logs and what runs are kept.  [default: ~/.local/state/pointsman/local]",
)
def command(path: Path, state_dir: Path | None) -> None:
    """Serve the quickstart, ask it, kill its first model's engines, ask again.

    PATH is the quickstart's folder. It stays up until Ctrl-C; with DEMO_ONCE=1 in the environment it ends by
    itself, with exit code 0 if everything went as shown.
    """
    state = StateFolder((state_dir or default_state_path(os.environ)).absolute())
    # First of all: of an `up` that runs, the port is in use too, and that is not what is in the way.
    state.refuse_if_held()
    settings = UpSettings(
        paths=(path,),
        listen=_address(),
        state=state.path,
        cache=default_cache_path(os.environ),
    )
    log_to(settings.state / "logs")
    once = os.environ.get(ONCE, "") not in ("", "0")
    asyncio.run(Demonstration(settings, Terminal(), machine_scaling, once=once).run())


def _address() -> Listen:
    """The usual address, or another port if something else listens there."""
    usual = parse_listen(DEFAULT_LISTEN)
    try:
        refuse_if_taken(usual)
    except PointsmanError:
        other = Listen(usual.host, free_port())
        click.echo(f" {usual} is in use, so this serves on {other}")
        return other
    return usual
