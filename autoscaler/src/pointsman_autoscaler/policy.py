"""What a way of scaling is: given what is seen, replicas of each flavour. Ours and those of others."""

from collections.abc import Mapping
from typing import Protocol

from pointsman_autoscaler.view import View


class Policy(Protocol):
    """Keeps what it must remember between calls; the clock is the view's."""

    @property
    def name(self) -> str: ...

    @property
    def interval_seconds(self) -> float:
        """How often it is asked."""
        ...

    def decide(self, view: View) -> Mapping[str, int]:
        """Replicas of each flavour, within its minimum and maximum."""
        ...
