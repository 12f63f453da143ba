"""Every look in the background, by the name that a rule of a pack has for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pointsman.policy.background import dates, networks, shares, surrounding
from pointsman.policy.background.looked import Judgement, Looked

_DEPLOYMENT, _ROUTE, NAMESPACE = "ModelDeployment", "ModelRoute", "Namespace"


@dataclass(frozen=True)
class Look:
    """`kinds`: what a verdict is about, and how it is come by; None from it where what it looks at is not
    known. `by_day`: another day may have another verdict. `in_cluster`: it looks at what no file has.
    """

    kinds: Mapping[str, Callable[[Looked], Judgement | None]]
    by_day: bool = False
    in_cluster: bool = False


LOOKS: Mapping[str, Look] = {
    "disruptionBudget": Look({_DEPLOYMENT: surrounding.disruption_budget}, in_cluster=True),
    "egressNetworkPolicy": Look({_DEPLOYMENT: networks.egress_network_policy}, in_cluster=True),
    "egressNetworks": Look({_DEPLOYMENT: networks.egress_networks}, in_cluster=True),
    "endedExperiments": Look(
        {_DEPLOYMENT: dates.ended_experiments, _ROUTE: dates.ended_experiments}, by_day=True
    ),
    "evaluationAge": Look({_DEPLOYMENT: dates.evaluation_age}, by_day=True),
    "guardrailTestAge": Look({_ROUTE: dates.guardrail_test_age}, by_day=True),
    "namespaceAccelerators": Look({NAMESPACE: shares.namespace_accelerators}),
    "redTeamAge": Look({_ROUTE: dates.red_team_age}, by_day=True),
    "routesWithoutTheirDeployment": Look(
        {_ROUTE: surrounding.routes_without_their_deployment}, in_cluster=True
    ),
}
