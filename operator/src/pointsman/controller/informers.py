"""Which objects are followed beside our own kinds, and what is kept of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from pointsman.controller.acting import MANAGER
from pointsman.controller.children import Children
from pointsman.controller.guardrailpolicy.by_hand import keep_writers
from pointsman.controller.guardrailpolicy.reconciler import NATIVES
from pointsman.controller.modeldeployment.reconciler import CHILDREN
from pointsman.controller.ours import of_ours
from pointsman.controller.platform_view import devices_alone
from pointsman.kube.difference import keep_own_fields
from pointsman.kube.informer import Informer, Listener
from pointsman.kube.namespaces import namespace_selections
from pointsman.kube.objects import (
    LEADER_WORKER_SET,
    MUTATING_BINDING,
    MUTATING_POLICY,
    NAMESPACE,
    NODE,
    POD,
    POD_MONITOR,
    Kind,
    KubeObject,
    label_selector,
)
from pointsman.kube.packed import Packed
from pointsman.kube.ports import Reader, Selection
from pointsman.kube.store import Store
from pointsman.policy.native import POLICY_LABEL
from pointsman.workloads.naming import DEPLOYMENT

_OURS = frozenset({MANAGER})
_ON_NODES = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"
_OPTIONAL = frozenset({LEADER_WORKER_SET, POD_MONITOR, NAMESPACE, MUTATING_POLICY, MUTATING_BINDING})
"""Other projects' kinds, and those of newer API servers. Namespaces that may not be read have no labels but
their names.
"""


class Informers:
    """All of one replica, each made by a `follow`. Whoever iterates runs them."""

    def __init__(self, reader: Reader, namespaces: Sequence[str]) -> None:
        """`namespaces` are those watched, all if there are none."""
        self.nodes = Store()
        self.pods = Store()
        self.others = Store()
        self._reader = reader
        self._namespaces = namespaces
        self._all: list[Informer] = []

    def __iter__(self) -> Iterator[Informer]:
        return iter(self._all)

    def follow_children(
        self,
        children: Children,
        before_them: Mapping[Kind, Sequence[Listener]],
        served: Callable[[Selection, bool], None],
    ) -> None:
        """What deployments own. Of a kind `before_them` hear before `children` do; `served` of whether it
        can be listed.
        """
        labelled = label_selector({}, present=(DEPLOYMENT,))
        for kind in (*CHILDREN, POD):
            all_of_them = _one_after_the_other(*before_them.get(kind, ()), children.listener(kind))
            # Pods are made by others.
            store, heard = (self.pods, all_of_them) if kind == POD else (Store(), of_ours(all_of_them))
            for namespace in self._namespaces or ("",):
                selection = Selection(kind, namespace, labels=labelled)
                on_served = partial(served, selection)
                self._all.append(
                    Informer(
                        self._reader, selection, heard, store=store, keep=_keep_child, on_served=on_served
                    )
                )

    def follow_natives(self, natives: Children, served: Callable[[Selection, bool], None]) -> None:
        """What GuardrailPolicies own."""
        labelled = label_selector({}, present=(POLICY_LABEL,))
        heard = {kind: of_ours(natives.listener(kind)) for kind in NATIVES}
        for kind in NATIVES:
            selection = Selection(kind, labels=labelled)
            self._all.append(
                Informer(
                    self._reader,
                    selection,
                    heard[kind],
                    keep=_keep_native,
                    on_served=partial(served, selection),
                )
            )

    def follow_gateways(self, selection: Selection, hear: Listener) -> None:
        self._all.append(Informer(self._reader, selection, hear))

    def follow_namespaces(self, hear: Listener) -> None:
        for selection in namespace_selections(self._namespaces):
            self._all.append(Informer(self._reader, selection, hear, keep=_without_managers))

    def follow_nodes(self, hear: Listener) -> None:
        self._all.append(
            Informer(self._reader, Selection(NODE), hear, store=self.nodes, keep=_without_managers)
        )

    def follow_others(self, hear: Listener) -> None:
        """Pods of anybody else that are on a node and have not ended, of which devices count."""
        for namespace in self._namespaces or ("",):
            selection = Selection(POD, namespace, labels=f"!{DEPLOYMENT}", fields=_ON_NODES)
            self._all.append(Informer(self._reader, selection, hear, store=self.others, keep=devices_alone))

    async def complete(self) -> None:
        """Wait until every list is. A kind that is not installed has no objects."""
        for informer in self._all:
            await informer.complete(_OPTIONAL)

    @property
    def are_complete(self) -> bool:
        """Whether every list is complete now."""
        return all(one.synced.is_set() or one.is_missing(_OPTIONAL) for one in self._all)


def _one_after_the_other(*listeners: Listener) -> Listener:
    def hear(before: KubeObject | None, now: KubeObject | None) -> None:
        for listener in listeners:
            listener(before, now)

    return hear


def _keep_child(obj: KubeObject) -> KubeObject:
    return Packed(keep_own_fields(obj, _OURS))


def _keep_native(obj: KubeObject) -> KubeObject:
    return Packed(keep_writers(obj))


def _without_managers(obj: KubeObject) -> KubeObject:
    return keep_own_fields(obj, frozenset())
