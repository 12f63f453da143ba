"""What a route names as target, fallback or mirror: it exists, may receive the data, can do the task."""

from collections.abc import Iterator

from pointsman.api.checks.inventory import Inventory, Use, uses
from pointsman.api.findings import Finding
from pointsman.api.located import Located
from pointsman.api.misspelling import nearest
from pointsman.api.modeldeployment import ModelDeployment, Task
from pointsman.api.modelroute import ModelRoute

# Their bodies are multipart or binary and carry the model elsewhere, which the gateway does not read yet.
_TASKS_WITHOUT_ROUTE = frozenset({Task.TRANSCRIPTION, Task.SPEECH, Task.IMAGE})


def unusable_targets(route: Located[ModelRoute], inventory: Inventory) -> Iterator[Finding]:
    primary: ModelDeployment | None = None
    for use in uses(route.resource):
        found = inventory.deployments.get(use.key)
        if found is None:
            if not inventory.may_exist("ModelDeployment", use.key):
                yield _missing(route, use, inventory)
            continue
        deployment = found.resource
        if primary is None and use.what == "target":
            primary = deployment
        yield from _may_not_receive(route, use, deployment)
        yield from _cannot_do(route, use, deployment, primary)
        # Where objects come in any order it may be listed in a moment: the target is left out until then.
        if use.adapter and not inventory.unread.anything:
            yield from _has_no_adapter(route, use, deployment)


def _missing(route: Located[ModelRoute], use: Use, inventory: Inventory) -> Finding:
    meant = inventory.deployment_names.nearest(use.key)
    elsewhere = inventory.deployment_names.namespaces_of(use.key.name)
    if meant is not None:
        todo = f'did you mean "{meant}"?'
    elif elsewhere:
        todo = f"the one in {elsewhere[0]} is out of reach: a route names deployments of its own namespace"
    else:
        todo = "create it, or name one that exists"
    return route.finding((*use.path, "deployment"), f"there is no ModelDeployment {use.key}", todo)


def _has_no_adapter(route: Located[ModelRoute], use: Use, deployment: ModelDeployment) -> Iterator[Finding]:
    names, path = deployment.adapter_names, (*use.path, "adapter")
    if deployment.spec.hosted is not None:
        what, todo = (
            f"{use.key.name} is hosted, and adapters are loaded beside weights of your own",
            "remove it",
        )
        yield route.finding(path, what, todo)
    elif use.adapter not in names:
        has = f"it has {', '.join(names)}" if names else "it has none"
        meant = nearest(use.adapter, names)
        todo = f'did you mean "{meant}"?' if meant else f"list it in spec.model.adapters of {use.key.name}"
        yield route.finding(path, f'ModelDeployment {use.key} has no adapter "{use.adapter}", {has}', todo)


def _may_not_receive(route: Located[ModelRoute], use: Use, deployment: ModelDeployment) -> Iterator[Finding]:
    carried, allowed = route.resource.spec.data_class, deployment.spec.data_classes
    if carried is None or carried in allowed:
        return
    may = f"may receive [{', '.join(allowed)}]" if allowed else "states no dataClasses"
    yield route.finding(
        use.path,
        f'{use.key.name} {may}, the route carries "{carried}"',
        "choose another target or change dataClass",
        rule_id="RES-03",
    )


def _cannot_do(
    route: Located[ModelRoute], use: Use, deployment: ModelDeployment, primary: ModelDeployment | None
) -> Iterator[Finding]:
    tasks = frozenset(deployment.spec.tasks)
    if tasks <= _TASKS_WITHOUT_ROUTE:
        what = f"routes to {' and '.join(sorted(tasks))} are not supported yet"
        yield route.finding(use.path, what, f"choose a deployment with another task than {use.key.name}'s")
    elif primary is not None and tasks.isdisjoint(primary.spec.tasks):
        what = f"{use.key.name} does {', '.join(sorted(tasks))}, which is not what {primary.key.name} does"
        yield route.finding(use.path, what, "choose a deployment with the same task", severity="warning")
