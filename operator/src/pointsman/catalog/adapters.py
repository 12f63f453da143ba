"""Whether a deployment's adapters come and go in running pods, or another list is another start. Pure.

Those that are downloaded can: what fetches them runs beside the engine all the while. What is mounted is part
of the pod, and a replica that spans nodes has that beside its first engine only.
"""

from collections.abc import Iterator

from pointsman.api import Model, ModelDeployment
from pointsman.catalog.demands import known_version
from pointsman.catalog.engines import EngineFacts, plain_flag

DOWNLOADED = frozenset({"hf", "s3", "gs", "az", "https", "package"})
"""Kinds of sources that are fetched; others are mounted."""


def has_live_adapters(deployment: ModelDeployment, facts: EngineFacts) -> bool:
    """Whether it has adapters, and its pods are made so that another list of them moves none."""
    live, model, engine = facts.launch.live_adapters, deployment.spec.model, deployment.spec.engine
    if live is None or model is None or engine is None or not all_downloaded(model):
        return False
    hardware = deployment.spec.hardware
    return (
        (hardware is None or hardware.nodes == 1)
        and live.holds_in(known_version(deployment, facts))
        and not any(True for _ in in_the_way(deployment, facts))
    )


def all_downloaded(model: Model) -> bool:
    """Whether there are adapters, and all of them are fetched."""
    return bool(model.adapters) and all(
        one.source.partition("://")[0] in DOWNLOADED for one in model.adapters
    )


def in_the_way(deployment: ModelDeployment, facts: EngineFacts) -> Iterator[int]:
    """Which entries of `spec.engine.args` keep adapters from being loaded into running pods."""
    live, engine = facts.launch.live_adapters, deployment.spec.engine
    if live is None or engine is None:
        return
    for index, argument in enumerate(engine.args):
        if plain_flag(argument) in live.not_with:
            yield index
