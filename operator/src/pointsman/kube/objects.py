"""Kubernetes objects as the plain JSON they are, the kinds that we deal with, and what all have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from pointsman.api.meta import API_VERSION, ObjectKey
from pointsman.errors import PointsmanError

KubeObject = Mapping[str, Any]
"""One object as JSON. What comes from the API server is shared by all who read it: never changed in place."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind and where the API server keeps it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core one."""
        return self.api_version.rpartition("/")[0]

    @property
    def is_kubernetes_own(self) -> bool:
        """Whether it is built into the API server: `apps/v1`, `policy/v1`, `networking.k8s.io/v1`."""
        return "." not in self.group or self.group.endswith(".k8s.io")

    @property
    def resource(self) -> str:
        """The name that is the same in every version: `deployments.apps`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def collection(self, namespace: str = "") -> str:
        """The path of all objects, or of those in one namespace."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        if namespace and self.namespaced:
            return f"{root}/namespaces/{quote(namespace, safe='')}/{self.plural}"
        return f"{root}/{self.plural}"

    def path(self, key: ObjectKey, subresource: str = "") -> str:
        """The path of one object, or of a part of it such as `status`."""
        path = f"{self.collection(key.namespace)}/{quote(key.name, safe='')}"
        return f"{path}/{subresource}" if subresource else path

    def __str__(self) -> str:
        return self.resource


MODEL_DEPLOYMENT: Final = Kind(API_VERSION, "ModelDeployment", "modeldeployments")
MODEL_ROUTE: Final = Kind(API_VERSION, "ModelRoute", "modelroutes")
GUARDRAIL_POLICY: Final = Kind(API_VERSION, "GuardrailPolicy", "guardrailpolicies", namespaced=False)

NAMESPACE: Final = Kind("v1", "Namespace", "namespaces", namespaced=False)
NODE: Final = Kind("v1", "Node", "nodes", namespaced=False)
POD: Final = Kind("v1", "Pod", "pods")
SERVICE: Final = Kind("v1", "Service", "services")
CONFIG_MAP: Final = Kind("v1", "ConfigMap", "configmaps")
SECRET: Final = Kind("v1", "Secret", "secrets")
SERVICE_ACCOUNT: Final = Kind("v1", "ServiceAccount", "serviceaccounts")
PERSISTENT_VOLUME_CLAIM: Final = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
DEPLOYMENT: Final = Kind("apps/v1", "Deployment", "deployments")
REPLICA_SET: Final = Kind("apps/v1", "ReplicaSet", "replicasets")
STATEFUL_SET: Final = Kind("apps/v1", "StatefulSet", "statefulsets")
CONTROLLER_REVISION: Final = Kind("apps/v1", "ControllerRevision", "controllerrevisions")
JOB: Final = Kind("batch/v1", "Job", "jobs")
ENDPOINT_SLICE: Final = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
NETWORK_POLICY: Final = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
POD_DISRUPTION_BUDGET: Final = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
LEASE: Final = Kind("coordination.k8s.io/v1", "Lease", "leases")
EVENT: Final = Kind("events.k8s.io/v1", "Event", "events")
CUSTOM_RESOURCE_DEFINITION: Final = Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
_ADMISSION = "admissionregistration.k8s.io/v1"
VALIDATING_POLICY: Final = Kind(
    _ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False
)
VALIDATING_BINDING: Final = Kind(
    _ADMISSION, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False
)
MUTATING_POLICY: Final = Kind(
    _ADMISSION, "MutatingAdmissionPolicy", "mutatingadmissionpolicies", namespaced=False
)
MUTATING_BINDING: Final = Kind(
    _ADMISSION, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", namespaced=False
)
# Kinds of other projects, which may be absent.
LEADER_WORKER_SET: Final = Kind("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "leaderworkersets")
REPORT: Final = Kind("openreports.io/v1alpha1", "Report", "reports")
POLICY_REPORT: Final = Kind("wgpolicyk8s.io/v1alpha2", "PolicyReport", "policyreports")
POD_MONITOR: Final = Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors")

KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    (kind.api_version, kind.kind): kind for kind in tuple(globals().values()) if isinstance(kind, Kind)
}
"""(apiVersion, kind) -> Kind, for objects that say what they are."""


def kind_of(obj: KubeObject) -> Kind:
    """The kind that an object names. An unknown one is a mistake of ours and raises PointsmanError."""
    named = (str(obj.get("apiVersion", "")), str(obj.get("kind", "")))
    kind = KINDS.get(named)
    if kind is None:
        raise PointsmanError(
            f"no such kind is known: {named[1]} of {named[0]}", todo="add it to pointsman.kube.objects"
        )
    return kind


def metadata(obj: KubeObject) -> Mapping[str, Any]:
    found: Mapping[str, Any] = obj.get("metadata") or {}
    return found


def key_of(obj: KubeObject) -> ObjectKey:
    meta = metadata(obj)
    return ObjectKey(str(meta.get("namespace") or ""), str(meta.get("name") or ""))


def uid_of(obj: KubeObject) -> str:
    return str(metadata(obj).get("uid") or "")


def generation_of(obj: KubeObject) -> int:
    return int(metadata(obj).get("generation") or 0)


def resource_version_of(obj: KubeObject) -> str:
    """Opaque: it may be compared for equality and handed back, nothing else."""
    return str(metadata(obj).get("resourceVersion") or "")


def labels_of(obj: KubeObject) -> Mapping[str, str]:
    return metadata(obj).get("labels") or {}


def annotations_of(obj: KubeObject) -> Mapping[str, str]:
    return metadata(obj).get("annotations") or {}


def is_being_deleted(obj: KubeObject) -> bool:
    return bool(metadata(obj).get("deletionTimestamp"))


def condition_of(obj: KubeObject, name: str) -> str:
    """How a condition of the status stands: "True", "False", "Unknown", or "" where there is none."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((str(one.get("status") or "") for one in conditions if one.get("type") == name), "")


def is_ready(obj: KubeObject) -> bool:
    return condition_of(obj, "Ready") == "True"


def owners_of(obj: KubeObject) -> tuple[str, ...]:
    """The uids of all owners."""
    return tuple(str(owner["uid"]) for owner in metadata(obj).get("ownerReferences") or ())


def controller_of(obj: KubeObject) -> str:
    """The uid of the owner that controls this object; empty if none does."""
    for owner in metadata(obj).get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return ""


def controller_reference(owner: KubeObject) -> dict[str, Any]:
    """The entry of `ownerReferences` by which `owner` controls an object in its own namespace."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": key_of(owner).name,
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def label_selector(labels: Mapping[str, str], *, present: Iterable[str] = ()) -> str:
    """`a=b,c` for a list or a watch: these labels with these values, and those labels with any."""
    terms = [f"{name}={value}" for name, value in sorted(labels.items())]
    return ",".join([*terms, *sorted(present)])


def without_nothing(value: Any) -> Any:
    """The same JSON without members that are null, which a patch would read in a way of its own."""
    kind = type(value)  # not isinstance: every value of every object that is written comes by here
    if kind is str or kind is int or kind is bool:
        return value
    if kind is dict or isinstance(value, Mapping):
        return {name: without_nothing(member) for name, member in value.items() if member is not None}
    if kind is list or kind is tuple:
        return [without_nothing(member) for member in value]
    return value
