"""How long an engine that failed is left alone before it is started again."""

from typing import Final

from pointsman.backoff import Backoff

# A crash of something that worked should cost seconds. What is broken for good costs one attempt a minute,
# and is back within a minute of being repaired. Replicas that fell together do not start together.
RESTARTS: Final = Backoff(first_seconds=0.5, longest_seconds=60.0, jitter=0.25)
STABLE_SECONDS: Final = 60.0
"""After this long without failure, the next failure counts as the first."""
