"""What an agent is told of the adapters that it loads."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pointsman.backoff import Backoff

Bring = Callable[[Mapping[str, str]], Awaitable[str]]
"""Fetches an item, whose `into` is absolute; gives why it could not, "" where it is there."""


_AGAIN = Backoff(2.0, 60.0, jitter=0.0)


@dataclass(frozen=True)
class AdapterSettings:
    """`file` is the mounted list, `store` where adapters are fetched to and the engine reads them."""

    file: Path
    store: Path
    bring: Bring
    look_seconds: float = 1.0
    """Between two looks at the list and at the engine, which answers from memory."""
    again: Backoff = _AGAIN
    """What failed is tried again after so long."""
    held_back_seconds: float = 30.0
    """So long at most a replica that serves waits for its adapters: it would be missed for all else."""
