"""Gather, decide, act, for one ModelRoute at a time. No decision is made here."""

from collections.abc import Callable

from pointsman.api import ModelDeployment, ModelRoute, ObjectKey
from pointsman.controller.acting import Actor, Statuses
from pointsman.controller.installations import Installations
from pointsman.controller.modelroute.book import RouteBook
from pointsman.controller.modelroute.decide import decide
from pointsman.controller.modelroute.snapshot import RouteSnapshot
from pointsman.controller.plan import Plan
from pointsman.controller.reading import Unreadable, read, said_of
from pointsman.kube.objects import KubeObject
from pointsman.routing import RouteProgramming
from pointsman.routing.compiler import route_deployments
from pointsman.routing.route_status import unready_targets, why_unready

SaidOf = Callable[[ObjectKey], tuple[RouteProgramming | None, ...]]
"""What each ready gateway says of a route."""


class ModelRouteReconciler:
    """`said_of` and `now` are asked at each look."""

    def __init__(
        self,
        routes: Statuses,
        deployments: Statuses,
        book: RouteBook,
        actor: Actor,
        said_of: SaidOf,
        now: Callable[[], str],
        installations: Installations,
        *,
        url: str,
    ) -> None:
        self._routes = routes
        self._deployments = deployments
        self._book = book
        self._actor = actor
        self._said_of = said_of
        self._now = now
        self._installations = installations
        self._url = url

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Say what it is like; gives after how many seconds to look again. Raises KubeError to be tried
        again.
        """
        live = self._routes.get(key)
        if live is None:
            self._actor.forget(key)
            return None
        if not self._installations.tells_of_routes(key.namespace):
            return None
        plan = self._plan(live, key)
        await self._actor.act(plan, key, self._routes)
        return plan.again_after_seconds

    def _plan(self, live: KubeObject, key: ObjectKey) -> Plan:
        route = read(ModelRoute, live)
        if isinstance(route, Unreadable):
            return said_of(route, live, "Accepted", self._now())
        return decide(
            RouteSnapshot(
                route=route,
                now=self._now(),
                refusal=self._book.refusal(key),
                lost=self._book.lost(route),
                unready=self._unready(route),
                gateways=self._said_of(key),
                url=self._url,
            )
        )

    def _unready(self, route: ModelRoute) -> dict[str, str]:
        said = {}
        for key in route_deployments(route):
            live = self._deployments.get(key)
            if live is not None:
                said[key] = self._book.unusable(key) or _why_unready(live)
        return {**unready_targets(route, said), **self._book.absent_adapters(route)}


def _why_unready(live: KubeObject) -> str:
    deployment = read(ModelDeployment, live)
    if isinstance(deployment, Unreadable):
        return deployment.why
    return why_unready(deployment, deployment.status)
