"""The errors of this project: one base, caught at the edge only."""


class PointsmanError(Exception):
    """What went wrong, where, and what the reader can do about it, each a short phrase.

    The edge (the command line, a condition, a log line) prints `str(error)`, which is always one line.
    """

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what, where, todo)
        self.what = what
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        text = f"{text}; {self.todo}" if self.todo else text
        return " ".join(text.split())
