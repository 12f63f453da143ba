"""Which engine starts with which words: image, version, command line and environment of one placed model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pointsman.api import Engine, EngineName, Model, ModelDeployment, Task
from pointsman.catalog import Catalog, EngineFacts, Image, KnownModel, LaunchCondition, LaunchValue
from pointsman.errors import PointsmanError
from pointsman.placement.coefficients import coefficients_of
from pointsman.placement.devices import Device
from pointsman.placement.memory import MOST_LOADED_ADAPTERS
from pointsman.placement.result import Placement, Pool
from pointsman.workloads import files
from pointsman.workloads.launching import Start
from pointsman.workloads.surroundings import Images
from pointsman.workloads.weights import Supply

PORT: Final = 8000
"""Where every engine listens: it is always told, because their own defaults differ and change."""
MOST_ADAPTERS: Final = 64
"""As many as the API takes: an engine never has more than it keeps in main memory."""
LEADER_PORT: Final = 29501
_ANY_ADDRESS = "0.0.0.0"
_CPU = "cpu"
_MEDIA = frozenset({Task.SPEECH, Task.IMAGE})
_WRITING = frozenset({Task.CHAT, Task.COMPLETION, Task.TRANSCRIPTION})


@dataclass(frozen=True)
class ChosenEngine:
    """An engine of the catalogue, the image that runs it, and the version its arguments are chosen for; None
    for an image of the user's.
    """

    facts: EngineFacts
    image: str
    version: str | None
    command: tuple[str, ...]
    known: KnownModel | None = None
    """What the catalogue knows of the model."""


def own(deployment: ModelDeployment) -> tuple[Model, Engine]:
    """The model and the engine of a deployment of our own. PointsmanError for a hosted one."""
    model, engine = deployment.spec.model, deployment.spec.engine
    if model is None or engine is None:
        raise PointsmanError("a hosted model has no pods", where="spec.hosted")
    return model, engine


def choose(
    deployment: ModelDeployment, device: Device | None, catalogue: Catalog, images: Images
) -> ChosenEngine:
    """The engine for a device, None being a CPU. PointsmanError where no image is built for it."""
    model, engine = own(deployment)
    known = catalogue.model_at(model.source)
    vendor, capability = _CPU, None
    if device is not None:
        # One that only the fleet settings know is taken to be NVIDIA's, as its resource is by default.
        vendor, capability = device.vendor or "nvidia", device.architecture or None
    facts = catalogue.engines[engine.name]
    image = image_for(facts, engine.version, deployment.spec.tasks, vendor, capability)
    version = engine.version or (image.version if image and image.version else facts.version)
    command = image.command if image is not None and image.command else facts.launch.command
    if engine.image is not None:
        # Nobody knows what it holds: it is told what the newest is told.
        return ChosenEngine(facts, engine.image, None, command, known)
    if image is None:
        said = f"{engine.name} {version}" if version else str(engine.name)
        raise PointsmanError(
            f"{said} has no image for {'CPUs' if vendor == _CPU else vendor}",
            where="spec.engine.version" if engine.version else "spec.engine.name",
            todo="state engine.image, or allow other accelerators",
        )
    reference = image.reference.replace("{version}", (version or "").removeprefix("v"))
    return ChosenEngine(facts, images.pinned.get(reference, reference), version, command, known)


def image_for(
    facts: EngineFacts, version: str | None, tasks: tuple[Task, ...], vendor: str, capability: str | None
) -> Image | None:
    """The first image of the catalogue that fits; one that is for certain tasks is only for them."""
    special = {task for image in facts.images for task in image.tasks}
    wanted = special & set(tasks)
    for image in facts.images:
        if (
            (wanted <= set(image.tasks) if wanted else not image.tasks)
            and image.vendor in (vendor, "any")
            and image.exists_in(version or image.version or facts.version)
            and (not image.capabilities or capability in image.capabilities)
        ):
            return image
    return None


def start_of(
    deployment: ModelDeployment,
    placement: Placement,
    pool: Pool,
    chosen: ChosenEngine,
    supply: Supply,
    *,
    startup_seconds: int,
    worker: bool = False,
    live: bool = False,
) -> Start:
    """Everything that rows of the catalogue may ask for. `live`: adapters come and go while it runs."""
    model, engine = own(deployment)
    tasks = set(deployment.spec.tasks)
    slots = pool.max_concurrency or 1
    adapters = tuple(f"{name}={path}" for name, path in supply.adapters.items())
    online = _online(model, placement, chosen)
    values: dict[LaunchValue, tuple[str, ...]] = {
        LaunchValue.WEIGHTS: (supply.path,),
        LaunchValue.HOST: (_ANY_ADDRESS,),
        LaunchValue.PORT: (str(PORT),),
        LaunchValue.SERVED_NAMES: deployment.served_names,
        LaunchValue.SERVED_NAME: deployment.served_names[:1],
        LaunchValue.TENSOR: (str(pool.tensor),),
        LaunchValue.PIPELINE: (str(pool.pipeline),),
        LaunchValue.DRAIN_SECONDS: (str(drain_seconds(deployment)),),
        LaunchValue.STARTUP_SECONDS: (str(startup_seconds),),
        LaunchValue.NODES: (str(placement.nodes),),
        LaunchValue.RANK: ("$(LWS_WORKER_INDEX)",),
        LaunchValue.LEADER_ADDRESS: ("$(LWS_LEADER_ADDRESS)",),
        LaunchValue.LEADER_PORT: (str(LEADER_PORT),),
        LaunchValue.LEADER_ENDPOINT: (f"$(LWS_LEADER_ADDRESS):{LEADER_PORT}",),
        LaunchValue.POD_ADDRESS: ("$(POD_IP)",),
    }
    if placement.context_length:
        values[LaunchValue.CONTEXT_LENGTH] = (str(placement.context_length),)
        values[LaunchValue.TOTAL_CONTEXT] = (str(placement.context_length * slots),)
    if pool.max_concurrency:
        values[LaunchValue.CONCURRENCY] = (str(pool.max_concurrency),)
    if pool.accelerator:
        values[LaunchValue.MEMORY_SHARE] = (f"{coefficients_of(engine.name).memory.usable:.2f}",)
    if online is not None:
        values[LaunchValue.QUANTIZATION] = (online,)
    if adapters:
        values[LaunchValue.ADAPTERS] = adapters
        values[LaunchValue.ADAPTER_COUNT] = (str(len(adapters)),)
        values[LaunchValue.LOADED_ADAPTERS] = (str(min(len(adapters), MOST_LOADED_ADAPTERS)),)
    if live:
        values[LaunchValue.ADAPTER_COUNT] = (str(MOST_ADAPTERS),)
        values[LaunchValue.LOADED_ADAPTERS] = (str(MOST_LOADED_ADAPTERS),)
    if engine.chat_template:
        values[LaunchValue.CHAT_TEMPLATE] = (files.CHAT_TEMPLATE_PATH,)
    if engine.name is EngineName.TRITON:
        values[LaunchValue.REPOSITORY] = (files.REPOSITORY,)
    media, writes = tasks <= _MEDIA, bool(tasks & _WRITING)
    pools = not media and not writes
    conditions: Mapping[LaunchCondition, bool] = {
        LaunchCondition.ACCELERATOR: bool(pool.accelerator),
        LaunchCondition.CPU: not pool.accelerator,
        LaunchCondition.HALF_PRECISION: placement.half_precision,
        LaunchCondition.MEDIA: media,
        LaunchCondition.TOKENS: not media,
        LaunchCondition.POOLS: pools,
        LaunchCondition.EMBEDS: pools and Task.EMBEDDING in tasks,
        LaunchCondition.RANKS: pools and Task.EMBEDDING not in tasks,
        LaunchCondition.ADAPTERS: bool(adapters) or live,
        LaunchCondition.LIVE_ADAPTERS: live,
        LaunchCondition.MULTI_NODE: placement.nodes > 1,
        LaunchCondition.WORKER: worker,
    }
    return Start(chosen.version, values, frozenset(name for name, holds in conditions.items() if holds))


def _online(model: Model, placement: Placement, chosen: ChosenEngine) -> str | None:
    """The engine's word for a quantisation that it shall do itself; None where the files have it already, as
    the catalogue or their name says: some of those would be refused when named again.
    """
    words = {kind.value: word for kind, word in chosen.facts.online_quantizations.items()}
    published = {kind.value for kind in chosen.known.weights} if chosen.known is not None else {"none"}
    if placement.quantization in model.source.lower() or "none" not in published:
        return None
    return words.get(placement.quantization)


def drain_seconds(deployment: ModelDeployment) -> int:
    """How long running requests may go on, in whole seconds and at least one."""
    return max(1, round(deployment.spec.drain.timeout.seconds))
