"""What an object needs beside it: a budget, the deployments that it names."""

from pointsman.policy.background.beside import named_deployments
from pointsman.policy.background.looked import HOLDS, NOT_FOR_IT, Judgement, Looked

_SEVERAL = 2


def disruption_budget(looked: Looked) -> Judgement | None:
    """Of deployments with several replicas in production."""
    budgets = looked.beside.disruption_budgets
    if budgets is None:
        return None
    if looked.pods < _SEVERAL or not looked.is_production:
        return NOT_FOR_IT
    return HOLDS if budgets else Judgement(f"{looked.pods} replicas")


def routes_without_their_deployment(looked: Looked) -> Judgement | None:
    there = looked.beside.deployments
    if there is None:
        return None
    names = {str((one.get("metadata") or {}).get("name")) for one in there}
    lost = [key.name for key in named_deployments(looked.obj) if key.name not in names]
    return Judgement(", ".join(lost[:5])) if lost else HOLDS
