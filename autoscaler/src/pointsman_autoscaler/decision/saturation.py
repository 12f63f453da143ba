"""The saturation rule as a floor: full caches and queues are believed more than any model of capacity.

The rule of llm-d's workload variant autoscaler, version 2: tokens in use and queued over 0.85 must fit into
0.80 of each replica's cache, or into as many tokens as its slots hold. Any sign to go up is followed.
"""

from pointsman_autoscaler.view import Flavour

_FULLEST_CACHE = 0.80
_USED = 0.85


def token_capacity(flavour: Flavour, tokens_of_request: float) -> float:
    """Tokens that one replica holds before it saturates; 0 where its cache is not known."""
    if flavour.cache_tokens <= 0:
        return 0.0
    by_cache = _FULLEST_CACHE * flavour.cache_tokens
    if flavour.slots > 1 and tokens_of_request > 0:
        return min(by_cache, flavour.slots * tokens_of_request)
    return by_cache


def token_need(tokens: float) -> float:
    """Tokens of capacity that tokens in use and queued ask for."""
    return tokens / _USED
