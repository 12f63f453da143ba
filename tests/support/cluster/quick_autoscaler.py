"""The autoscaler with a policy that tests can foresee, or our own, and little patience:
`python -m tests.support.cluster.quick_autoscaler`.

One replica for each two requests that were in flight at once in the last seconds, as gateways say it, else
engines.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import click

from pointsman.api import FleetSettings, ObjectKey
from pointsman.cli.processes import log_as_json
from pointsman.kube.credentials import find_credentials
from pointsman.kube.gateways import gateways_at
from pointsman.local.listening import parse_listen
from pointsman_autoscaler.loop.process import Autoscaler
from pointsman_autoscaler.loop.settings import AutoscalerSettings
from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.signals.memory import Patience
from pointsman_autoscaler.view import View

REQUESTS = 2
"""Of one replica."""
_HOLD_SECONDS = 4.0
"""Longer than it takes a client to ask again."""


@dataclass
class Proportional:
    settings: ScalingSettings
    name: str = "proportional"
    interval_seconds: float = 0.0
    loads: dict[float, float] = field(default_factory=dict)

    def decide(self, view: View) -> Mapping[str, int]:
        samples = [pod.samples[-1] for pod in view.pods if pod.samples and pod.is_ready]
        load = sum((one.running or 0.0) + (one.waiting or 0.0) for one in samples)
        if view.gateway and view.gateway[-1].in_flight is not None:
            load = view.gateway[-1].in_flight
        self.loads[view.now_seconds] = load
        self.loads = {at: load for at, load in self.loads.items() if view.now_seconds - at < _HOLD_SECONDS}
        wanted = math.ceil(max(self.loads.values()) / REQUESTS)
        wanted = min(max(wanted, self.settings.minimum), self.settings.maximum)
        first, *others = view.flavours
        return {first: wanted, **dict.fromkeys(others, 0)}


class Brisk(Scaler):
    """Our own policy, asked at each look."""

    @property
    def interval_seconds(self) -> float:
        return 0.0


@click.command()
@click.option("--own-policy", is_flag=True)
@click.option("--listen")
@click.option("--gateway-pods", default="")
@click.option("--prometheus", default="")
def main(listen: str, gateway_pods: str, prometheus: str, own_policy: bool) -> None:
    log_as_json(sys.stderr)
    served = parse_listen(listen)
    metrics = {"metrics": {"prometheus": {"url": prometheus}}} if prometheus else {}
    settings = AutoscalerSettings(
        identity=os.environ["POD_NAME"],
        lease=ObjectKey(os.environ["POD_NAMESPACE"], "pointsman-autoscaler"),
        fleet=FleetSettings.model_validate(metrics),
        address=served.host,
        port=served.port,
        gateways=gateways_at("", gateway_pods),
        policy_of=Brisk if own_policy else Proportional,
        look_seconds=0.3,
        settling_seconds=0.0,
        patience=Patience(stale_seconds=4.0, unread_seconds=2.0),
    )
    asyncio.run(Autoscaler(find_credentials("", ""), settings).run())


if __name__ == "__main__":
    main()
