"""Whether somebody who is asked now and then still answers, counted from the outcomes. Pure."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Silence:
    """What asking has brought: failures since the last answer, and when the first of them was asked, in
    seconds of any clock that does not jump.
    """

    failures: int = 0
    silent_since: float = 0.0

    def heard(self, answered: bool, asked_at: float) -> Self:
        """With the outcome of one more question."""
        if answered:
            return type(self)()
        return type(self)(self.failures + 1, self.silent_since if self.failures else asked_at)
