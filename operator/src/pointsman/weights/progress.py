"""How far a fetch is: a line now and then, from the size of what has arrived."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EVERY_SECONDS = 30.0
"""Seldom enough for a log that is kept, often enough to see that it moves."""


@contextmanager
def told(folder: Path, say: Callable[[str], None], every_seconds: float = EVERY_SECONDS) -> Iterator[None]:
    """While inside, `say` hears how many bytes lie below the folder."""
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(every_seconds):
            say(f"{arrived_bytes(folder) / 1e9:.1f} GB have arrived")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def arrived_bytes(folder: Path) -> int:
    """What the files below a folder hold; what goes away meanwhile counts nothing."""
    total = 0
    for below, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(below, name)).st_size
            except FileNotFoundError:
                continue
    return total
