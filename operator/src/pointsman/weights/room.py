"""Whether a disk has room for what is to come, asked before anything is written."""

import shutil
from pathlib import Path

from pointsman.weights.progress import arrived_bytes
from pointsman.weights.trouble import too_large


def check_room(all_bytes: int, folder: Path) -> None:
    """WeightsError if the folder's disk has less than what is missing of so many bytes."""
    missing = all_bytes - arrived_bytes(folder)
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise too_large(missing, free, folder)
