"""The errors of this project: one base, caught at the edge only."""

from functools import partial


class PointsmanError(Exception):
    """What went wrong, where, and what the reader can do about it, each a short phrase.

    The edge (the command line, a condition, a log line) prints `str(error)`, which is always one line.
    """

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what, where, todo)
        self.what = what
        self.where = where
        self.todo = todo

    def __reduce__(self) -> tuple[object, tuple[()]]:
        """Between processes it stays what it says."""
        return partial(PointsmanError, self.what, where=self.where, todo=self.todo), ()

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        text = f"{text}; {self.todo}" if self.todo else text
        return " ".join(text.split())
