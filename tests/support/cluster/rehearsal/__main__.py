"""Plays scenarios, one for each line of its input (`NAME LAG_SECONDS`); prints a report for each, as JSON.

Runs in a network of its own, where EndpointSlices carry the addresses of pods.
"""

from __future__ import annotations

import json
import sys
import time

from tests.support.cluster.rehearsal.applied_again import apply_again
from tests.support.cluster.rehearsal.scenarios import SCENARIOS
from tests.support.cluster.rehearsal.stage import Stage


def main() -> None:
    with Stage() as stage:
        print(json.dumps({"is_ready": True}), flush=True)
        for line in sys.stdin:
            name, lag_seconds = line.split()
            began = time.monotonic()
            stage.lag(float(lag_seconds))
            try:
                report = {**SCENARIOS, "apply_again": apply_again}[name](stage)
            except AssertionError as error:
                report = {"error": str(error), "noticed": stage.end_load().to_json()}
            print(json.dumps({**report, "seconds": round(time.monotonic() - began, 1)}), flush=True)


if __name__ == "__main__":
    main()
