"""`pointsman engine-agent`: what stands beside each engine in a pod."""

import asyncio
import signal
import sys
from pathlib import Path

import click

from pointsman.api import EngineName, Task
from pointsman.cli.bringing import bringing
from pointsman.cli.processes import log_as_json
from pointsman.engine_agent.adapter_settings import AdapterSettings
from pointsman.engine_agent.agent import serve
from pointsman.engine_agent.settings import AgentSettings, EngineSettings

_FILE = click.Path(path_type=Path)


@click.command(name="engine-agent")
@click.option("--engine", required=True, type=click.Choice([name.value for name in EngineName]))
@click.option("--engine-version", default="", help="Default: the newest that the catalogue knows.")
@click.option("--engine-host", default="127.0.0.1", show_default=True)
@click.option("--engine-port", required=True, type=click.IntRange(1, 65535))
@click.option("--served-name", required=True, help="A name that the engine answers to.")
@click.option(
    "--task", "tasks", multiple=True, required=True, type=click.Choice([task.value for task in Task])
)
@click.option("--drain-seconds", required=True, type=click.FloatRange(min=0))
@click.option("--host", default="0.0.0.0", show_default=True)
@click.option("--port", required=True, type=click.IntRange(1, 65535))
@click.option("--drain-port", required=True, type=click.IntRange(1, 65535))
@click.option("--adapters", type=_FILE, help="The list of adapters to keep loaded in the engine.")
@click.option(
    "--store", type=_FILE, help="Where adapters are fetched to; the engine has it at the same path."
)
@click.option("--model-source", default="", help="Whose credentials may be shown for adapters from there.")
def command(
    engine: str,
    engine_version: str,
    engine_host: str,
    engine_port: int,
    served_name: str,
    tasks: tuple[str, ...],
    drain_seconds: float,
    host: str,
    port: int,
    drain_port: int,
    adapters: Path | None,
    store: Path | None,
    model_source: str,
) -> None:
    """Say honestly whether an engine serves, and let it end without cutting answers. Pods run it."""
    log_as_json(sys.stderr)
    beside = EngineSettings(
        EngineName(engine),
        engine_host,
        engine_port,
        served_name,
        tuple(Task(task) for task in tasks),
        engine_version or None,
    )
    loads = None
    if adapters is not None and store is not None:
        loads = AdapterSettings(adapters, store, bringing(model_source))
    settings = AgentSettings(beside, drain_seconds, host, port, drain_port, loads)
    asyncio.run(_until_asked_to_end(settings))


async def _until_asked_to_end(settings: AgentSettings) -> None:
    serving = asyncio.create_task(serve(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    await serving
