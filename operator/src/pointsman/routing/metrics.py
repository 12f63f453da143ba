"""What Envoy counts, by route and target, with nothing in the request path: the stats access logger.

Names here are Envoy's; the gateway's own /metrics page renames them and adds cost.
Times are milliseconds, counts are plain.
"""

from typing import Any

from pointsman.routing.names import CLIENT_STATE, RETRY_HEADER
from pointsman.routing.typed import newer

PREFIX = "pointsman"
_STATS = "envoy.extensions.access_loggers.stats.v3.Config"

# From 5 ms (an answer from a cache) to 10 minutes (a long prompt on a busy engine), each 1.25 to 2.5 times
# the last.
BUCKETS_MILLISECONDS = (
    5, 10, 25, 50, 75, 100, 150, 250, 400, 600, 800, 1000, 1500, 2500, 4000,
    6000, 10_000, 15_000, 25_000, 40_000, 60_000, 120_000, 300_000, 600_000,
)  # fmt: skip

_SCOPE = {"prefix": PREFIX, "sharing_name": PREFIX}

_ROUTE = {"name": "route", "value_format": "%ROUTE_NAME%"}
# The cluster's own name, of which the page takes the adapter too: one value more to write costs each request.
_TARGET = {"name": "target", "value_format": "%UPSTREAM_CLUSTER_RAW%"}
_CLIENT = {"name": "client", "value_format": f"%FILTER_STATE({CLIENT_STATE}:PLAIN)%"}
_CODE = {"name": "code", "value_format": "%RESPONSE_CODE%"}
_FLAGS = {"name": "flags", "value_format": "%RESPONSE_FLAGS%"}
_STREAM = {"name": "stream", "value_format": "%FILTER_STATE(pm.stream:PLAIN)%"}

TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens")


def request_stats() -> list[dict[str, Any]]:
    """Once a request, when it has ended. What an answer does not have is not logged: Envoy would complain."""
    who = [_ROUTE, _TARGET, _CLIENT]
    requests = {"counters": [{"stat": {"name": "requests", "tags": [*who, _CODE, _FLAGS]}, "value_fixed": 1}]}
    answers = {
        "histograms": [
            _milliseconds(
                "first_token", "%COMMON_DURATION(DS_RX_BEG:US_RX_BODY_BEG:ms)%", [_ROUTE, _TARGET, _STREAM]
            ),
            _milliseconds(
                "generation", "%COMMON_DURATION(US_RX_BODY_BEG:DS_TX_END:ms)%", [_ROUTE, _TARGET, _STREAM]
            ),
            _milliseconds("duration", "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:ms)%", [_ROUTE, _TARGET]),
        ],
        "counters": [_tokens(name, who) for name in TOKENS],
    }
    answered = {
        "status_code_filter": {
            "comparison": {"op": "LE", "value": {"default_value": 399, "runtime_key": "pm.ok"}}
        }
    }
    return [_logger("requests", requests), _logger("answers", answers, answered)]


def _tokens(name: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    """A count that our filters leave, also where it is 0: the logger complains of one that is not there."""
    return {"stat": {"name": name, "tags": tags}, "value_format": f"%FILTER_STATE(pm.{name}:PLAIN)%"}


def attempt_stats() -> dict[str, Any]:
    """Once an attempt: what failed on the way, even where the request was answered in the end."""
    tags = [_ROUTE, _TARGET, _CODE, _FLAGS, {"name": "verdict", "value_format": f"%RESP({RETRY_HEADER})%"}]
    return _logger("attempts", {"counters": [{"stat": {"name": "attempts", "tags": tags}, "value_fixed": 1}]})


def histogram_buckets() -> list[dict[str, Any]]:
    """For the bootstrap: bucket edges of our histograms."""
    return [{"match": {"prefix": PREFIX}, "buckets": list(BUCKETS_MILLISECONDS)}]


def _milliseconds(name: str, value: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    return {"stat": {"name": name, "tags": tags}, "unit": "Milliseconds", "value_format": value}


def _logger(name: str, value: dict[str, Any], only: dict[str, Any] | None = None) -> dict[str, Any]:
    logger = {"name": f"pointsman.{name}", "typed_config": newer(_STATS, {"stats_scope": _SCOPE, **value})}
    return {**logger, "filter": only} if only else logger
