"""What the queue holds: which object of which of our kinds."""

from dataclasses import dataclass

from pointsman.api import ObjectKey


@dataclass(frozen=True, slots=True, order=True)
class Ident:
    """A kind and where the object lives."""

    kind: str
    key: ObjectKey

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
