"""A recorded rate from a Prometheus: what a query said over some days, for the simulator."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from pointsman.api import ObjectKey
from pointsman.api.fleet import PrometheusSettings
from pointsman.errors import PointsmanError
from pointsman_autoscaler.signals.page import GATEWAY
from pointsman_autoscaler.signals.promql import quoted

_PATIENCE_SECONDS = (5.0, 60.0)
"""To connect, and for the answer."""
_MOST_POINTS = 10_000
"""Prometheus answers 11,000 at most."""
_STEP_SECONDS = 60.0


def arrivals(key: ObjectKey) -> str:
    """The query for requests a second that gateways sent to a deployment."""
    return f"sum(rate({GATEWAY}attempts_total{{target=~{quoted(re.escape(str(key)))}}}[5m]))"


def recorded_rates(settings: PrometheusSettings, query: str, seconds: float, now_seconds: float) -> str:
    """CSV of times and rates (`t_seconds,arrivals_per_second`), with gaps where nothing was recorded.

    Raises PointsmanError where Prometheus does not answer, or the query gives no single series.
    """
    step = max(_STEP_SECONDS, math.ceil(seconds / _MOST_POINTS / _STEP_SECONDS) * _STEP_SECONDS)
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (now_seconds - seconds, now_seconds))
    try:
        client = PrometheusConnect(settings.url.rstrip("/"), retry=0)
        if settings.bearer_token_file:
            token = Path(settings.bearer_token_file).read_text("utf-8").strip()
            client.headers = {"Authorization": f"Bearer {token}"}
        found: Sequence[Mapping[str, Any]] = client.custom_query_range(
            query, begin, end, f"{step:.0f}s", timeout=_PATIENCE_SECONDS
        )
    except (OSError, PrometheusApiClientException, ValueError) as error:
        raise PointsmanError(
            f"Prometheus does not answer the query ({_reason(error)})",
            where=settings.url,
            todo="see that this is its URL, that it can be reached from here, and what --query says",
        ) from error
    if len(found) != 1:
        what, todo = f"{len(found)} series", "write a query that sums to one rate, in requests a second"
        if not found:
            what, todo = (
                "nothing",
                "see that it scrapes the gateways, ask for other --days, or write a --query",
            )
        raise PointsmanError(
            f"the query gives {what} in the last {seconds / 86400:g} days: {query}",
            where=settings.url,
            todo=todo,
        )
    rows = [f"{float(time):.0f},{value}" for time, value in found[0]["values"]]
    return "\n".join(["t_seconds,arrivals_per_second", *rows, ""])


def _reason(error: Exception) -> str:
    """What a person can use of the words of two libraries and a server."""
    said = str(error)
    inner = re.search(r'"error":"((?:[^"\\\\]|\\\\.)*)"', said) or re.search(
        r"\[Errno -?\d+\] ([^'\")]+)", said
    )
    if inner is None and "timed out" in said:
        return "it took too long"
    return (inner[1] if inner else said)[:300]
