"""A request on its way through an engine."""


class Job:
    """A request in an engine."""

    __slots__ = (
        "answer", "arrived", "ended", "finish", "first", "generated", "index", "last", "order", "past",
        "prompt", "queued", "todo",
    )  # fmt: skip

    def __init__(self, index: int, arrived: float, prompt: int, answer: int) -> None:
        self.index = index
        self.arrived = arrived
        self.prompt = prompt
        self.answer = max(1, answer)
        self.queued = arrived
        self.first = -1.0
        """When the first token came; below 0 before."""
        self.ended = -1.0
        self.last = -1.0
        """When the last token before a preemption came."""
        self.generated = 0
        """Tokens of the answer when its prompt was last taken in, or as many as it has at its end."""
        self.past = 0
        """Tokens of the prompt that are in the cache while it is taken in."""
        self.todo = 0
        self.finish = -1
        """The number of the step that gives the last token."""
        self.order = 0

    @property
    def mean_gap(self) -> float:
        """Mean time between tokens of a finished request; 0 for a single token."""
        return (self.ended - self.first) / (self.answer - 1) if self.answer > 1 else 0.0
