"""What a deployment asks of its engine, held against what the catalogue knows of the engine."""

from collections.abc import Iterator

from pointsman.api import Engine, Finding, Located, ModelDeployment, Stated
from pointsman.api.findings import Severity
from pointsman.catalog.engines import EngineFacts
from pointsman.catalog.loading import shipped_catalog
from pointsman.catalog.ownership import owned_argument, owned_variable


def unmet_demands(located: Located[Stated]) -> Iterator[Finding]:
    """What the engine cannot do, and what is passed to it although a field, or Pointsman itself, sets it.

    An error where the engine's facts are verified, else a warning.
    """
    deployment = located.resource
    if not isinstance(deployment, ModelDeployment) or deployment.spec.engine is None:
        return
    facts = shipped_catalog().engines.get(deployment.spec.engine.name)
    if facts is not None:
        yield from _beyond(located, deployment, facts)
    yield from _owned(located, deployment.spec.engine)


def _beyond(located: Located[Stated], deployment: ModelDeployment, facts: EngineFacts) -> Iterator[Finding]:
    severity: Severity = "error" if facts.verified else "warning"
    for index, task in enumerate(deployment.spec.tasks):
        if task not in facts.tasks:
            todo = f"use {', '.join(facts.tasks)}"
            yield located.finding(
                ("spec", "tasks", index), f"{facts.name} cannot do {task}", todo, severity=severity
            )
    wanted = deployment.spec.model.quantization if deployment.spec.model is not None else None
    if wanted is not None and wanted not in facts.quantizations:
        what = f"{facts.name} serves no {wanted} weights"
        todo = f"use {', '.join(facts.quantizations)}, or another engine"
        yield located.finding(("spec", "model", "quantization"), what, todo, severity=severity)


def _owned(located: Located[Stated], engine: Engine) -> Iterator[Finding]:
    for index, argument in enumerate(engine.args):
        if (owner := owned_argument(engine.name, argument)) is not None:
            what = f"{argument.split('=', 1)[0]} is set by Pointsman"
            yield located.finding(("spec", "engine", "args", index), what, owner.advice)
    for index, variable in enumerate(engine.env):
        if (owner := owned_variable(engine.name, variable.name)) is not None:
            what = f"{variable.name} is set by Pointsman"
            yield located.finding(("spec", "engine", "env", index), what, owner.advice)
