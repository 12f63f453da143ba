"""Informers -> inputs -> the gateway: every change is carried over, a burst of changes at once."""

import asyncio
from collections.abc import Callable
from traceback import format_tb

import structlog

from pointsman.errors import PointsmanError
from pointsman.gateway.cluster.endpoints import ReadyEndpoints, in_pod, in_slice, kept_of_pod
from pointsman.gateway.cluster.inputs import ClusterInputs
from pointsman.gateway.cluster.settings import ClusterGatewaySettings, EndpointsFrom
from pointsman.kube.clock import elapsed_seconds
from pointsman.kube.difference import keep_own_fields
from pointsman.kube.informer import Informer, Listener
from pointsman.kube.namespaces import namespace_selections
from pointsman.kube.objects import (
    ENDPOINT_SLICE,
    MODEL_DEPLOYMENT,
    MODEL_ROUTE,
    NAMESPACE,
    POD,
    SECRET,
    Kind,
    KubeObject,
    label_selector,
)
from pointsman.kube.ports import Reader, Selection
from pointsman.routing import RoutingInput
from pointsman.workloads.naming import DEPLOYMENT, LEADER, ROLE

_log = structlog.get_logger(__name__)

_QUIET_SECONDS = 0.02
"""A rollout or a list tells of many objects within a moment: they are one change. A replica that went is out
of use after that long."""
_REST = 2.0
"""Compiling a thousand routes anew takes 0.2 s: a third of the time at most while they come one by one."""
_MAY_BE_CLOSED = (SECRET, NAMESPACE)
"""Secrets that may not be read are none, and said to be; such namespaces have no labels but their names."""
# Large, many, and never a key of a provider or a client.
_SECRETS = "type!=kubernetes.io/service-account-token,type!=helm.sh/release.v1"


class Follower:
    """Follows the cluster for one gateway. `changed` is set whenever what is to be said may be another."""

    def __init__(
        self, reader: Reader, settings: ClusterGatewaySettings, update: Callable[[RoutingInput], None]
    ) -> None:
        """`update` takes a new input and raises PointsmanError if it cannot."""
        by_pods = settings.endpoints_from is EndpointsFrom.PODS
        self.inputs = ClusterInputs(
            settings.fleet, settings.secret_namespaces, ReadyEndpoints(in_pod if by_pods else in_slice)
        )
        self._update = update
        self._heard = asyncio.Event()
        self._took_seconds = 0.0
        self.has_begun = False
        """Whether the gateway has ever taken all that is known."""
        self.refusals = 0
        """Times that it could not."""
        self.changed = asyncio.Event()
        if by_pods:
            where, labels = POD, label_selector({ROLE: LEADER}, present=(DEPLOYMENT,))
        else:
            where, labels = ENDPOINT_SLICE, label_selector({}, present=(DEPLOYMENT,))
        everywhere = settings.namespaces or ("",)
        selections = [
            *(Selection(MODEL_DEPLOYMENT, namespace) for namespace in everywhere),
            *(Selection(MODEL_ROUTE, namespace) for namespace in everywhere),
            *(Selection(where, namespace, labels=labels) for namespace in everywhere),
            *(Selection(SECRET, namespace, fields=_SECRETS) for namespace in settings.secret_namespaces),
        ]
        if self.inputs.ask_for_namespaces:
            selections += namespace_selections(settings.namespaces)
        self.informers = [
            Informer(
                reader,
                selection,
                self._listener(selection.kind),
                keep=kept_of_pod if selection.kind == POD else _bare,
            )
            for selection in selections
        ]

    async def run(self) -> None:
        """Follow until cancelled. Nothing is given before everything is known: half of the routes of a
        gateway that begins would be refused as unknown.
        """
        async with asyncio.TaskGroup() as group:
            for informer in self.informers:
                group.create_task(informer.run(), name=f"informer {informer.selection}")
            for informer in self.informers:
                await informer.complete(_MAY_BE_CLOSED)
            self._carry_over()
            while True:
                await self._heard.wait()
                await asyncio.sleep(max(_QUIET_SECONDS, _REST * self._took_seconds))
                self._carry_over()

    def _carry_over(self) -> None:
        began = elapsed_seconds()
        self._heard.clear()
        try:
            self._update(self.inputs.refresh())
        except PointsmanError as error:
            # What the gateway has goes on; the next change is tried anew.
            self.refusals += 1
            _log.error("input_refused", reason=str(error))
        except Exception as error:
            # An object that we stumble over would else end every gateway of the cluster, again and again. Its
            # words may be of a Secret: the log has where it was, and not what.
            self.refusals += 1
            where = "".join(format_tb(error.__traceback__))
            _log.error("input_refused", reason=f"internal error: {type(error).__name__}", where=where)
        else:
            self.has_begun = True
        self.changed.set()
        self._took_seconds = elapsed_seconds() - began

    def _listener(self, kind: Kind) -> Listener:
        def hear(before: KubeObject | None, now: KubeObject | None) -> None:
            if self.inputs.hear(kind, before, now):
                self._heard.set()

        return hear


def _bare(obj: KubeObject) -> KubeObject:
    return keep_own_fields(obj, frozenset())
