"""Cache keys for records of the catalogue, which never change but hold dicts and so have no hash."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Identity(Generic[T]):
    """Equal to another key of the very same record, which it keeps alive."""

    __slots__ = ("record",)

    def __init__(self, record: T) -> None:
        self.record = record

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.record is other.record

    def __hash__(self) -> int:
        return id(self.record)
