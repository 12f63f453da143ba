"""What an engine's arguments change of a model's shape: the cache's elements, how experts are shared out."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from pointsman.api import Engine, EngineName
from pointsman.catalog import plain_flag
from pointsman.placement.shape import ModelShape

_CACHE = "--kv-cache-dtype"
EXPERT_PARALLEL = "--enable-expert-parallel"
_EXPERT_GROUPS = {"--ep-size", "--ep", "--expert-parallel-size"}


def as_told(shape: ModelShape, engine: Engine) -> ModelShape:
    """The shape as an engine with these arguments runs it."""
    for flag, value in _stated(engine):
        if flag == _CACHE and value.startswith("fp8"):
            shape = replace(shape, cache_element_bytes=1)
        elif (engine.name == EngineName.VLLM and flag == EXPERT_PARALLEL) or (
            engine.name == EngineName.SGLANG and flag in _EXPERT_GROUPS and value not in ("", "1")
        ):
            shape = replace(shape, whole_experts=True)
    return shape


def _stated(engine: Engine) -> Iterator[tuple[str, str]]:
    """Each flag with its value, "" where it has none."""
    for argument, following in pairwise((*engine.args, "")):
        if argument.startswith("-"):
            _, joined, value = argument.partition("=")
            yield plain_flag(argument), value if joined else "" if following.startswith("-") else following
