"""What arrives: requests with their time and their size, and how they came from what was recorded. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """Requests in the order of their arrival; three arrays of one length."""

    at_seconds: NDArray[np.float64]
    """From the beginning of the scenario, ascending."""
    input_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    span_seconds: float
    """How long the scenario lasts; what still runs then is finished but no longer paid for."""
    thinning: float = 1.0
    """The share of the recorded requests that was kept; above 1 where several records were superposed."""
    description: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for arrays that do not belong together."""
        count = len(self.at_seconds)
        if len(self.input_tokens) != count or len(self.output_tokens) != count:
            raise ValueError("arrivals need one number of input and of output tokens each")
        if count and (np.any(np.diff(self.at_seconds) < 0) or self.at_seconds[0] < 0):
            raise ValueError("arrivals must be in the order of their time, which begins at 0")
        if count and (self.at_seconds[-1] > self.span_seconds or self.input_tokens.min() < 1):
            raise ValueError("arrivals must lie within the span and have a prompt")

    def __len__(self) -> int:
        return len(self.at_seconds)

    @property
    def requests_per_second(self) -> float:
        """The mean over the span."""
        return len(self) / self.span_seconds if self.span_seconds else 0.0
