"""Objects such as a controller applies, drawn with everything that the API server reads in a way of its own.

Quantities in odd spellings, ports without protocol, maps and lists with keys, as sets and as single values,
values inside them that have defaults.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

_WORDS = ("alpha", "beta", "gamma", "delta")
_CPU = ("1", "1000m", "0.5", "500m", "2.0", 3, "1500m", "2k")
_MEMORY = ("1Gi", "1024Mi", "1073741824", "1.5Gi", "512M", "0.5Ti", "1e3", "128974848000m")

words = st.sampled_from(_WORDS)
labels = st.dictionaries(words, st.sampled_from(("", "1", "1000m", "x")), max_size=3)
texts = st.sampled_from(("", "1", "1000m", "1.0", "true", "--flag=1", "ü", "a\nb"))


def optional(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """A map that has each of these members or has it not."""
    return st.fixed_dictionaries({}, optional=members)


selectors = optional(
    matchLabels=labels,
    matchExpressions=st.lists(
        st.fixed_dictionaries(
            {"key": words, "operator": st.just("In"), "values": st.lists(words, min_size=1, max_size=2)}
        ),
        max_size=2,
    ),
)
resources = optional(
    requests=optional(cpu=st.sampled_from(_CPU), memory=st.sampled_from(_MEMORY)),
    claims=st.just([]),
)
environment = st.lists(
    st.one_of(
        st.fixed_dictionaries({"name": words}, optional={"value": texts}),
        st.fixed_dictionaries(
            {
                "name": words,
                "valueFrom": st.sampled_from(
                    (
                        {"fieldRef": {"fieldPath": "metadata.name"}},
                        {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}},
                        {"secretKeyRef": {"name": "s", "key": "k"}},
                        {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}},
                        {"resourceFieldRef": {"containerName": "engine", "resource": "limits.cpu"}},
                        {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1024Ki"}},
                    )
                ),
            }
        ),
    ),
    max_size=4,
    unique_by=lambda variable: variable["name"],
)
container_ports = st.lists(
    st.fixed_dictionaries(
        {"containerPort": st.sampled_from((80, 8000))},
        optional={"name": words, "protocol": st.sampled_from(("TCP", "UDP"))},
    ),
    max_size=3,
    unique_by=(
        lambda port: (port["containerPort"], port.get("protocol", "TCP")),
        lambda port: port.get("name", id(port)),
    ),
)
probes = st.one_of(
    st.just({"httpGet": {"path": "/healthz", "port": 8000}}),
    st.just({"httpGet": {"port": "http", "httpHeaders": [{"name": "a", "value": "b"}]}, "periodSeconds": 5}),
    st.just({"exec": {"command": ["true"]}, "failureThreshold": 7, "timeoutSeconds": 2}),
    st.just({"tcpSocket": {"port": 1}}),
)
containers = st.fixed_dictionaries(
    {"image": st.sampled_from(("e:1", "e:latest"))},
    optional={
        "args": st.lists(texts, max_size=3),
        "env": environment,
        "ports": container_ports,
        "resources": resources,
        "readinessProbe": probes,
        "startupProbe": probes,
        "securityContext": optional(
            runAsNonRoot=st.booleans(),
            capabilities=st.sampled_from(({"drop": ["ALL"]}, {"drop": ["A", "B"], "add": ["C"]})),
        ),
        "lifecycle": st.just({"preStop": {"httpGet": {"path": "/drain", "port": 9000}}}),
        "volumeMounts": st.lists(
            st.fixed_dictionaries(
                {"name": st.just("empty"), "mountPath": st.sampled_from(("/a", "/b", "/c"))},
                optional={"readOnly": st.booleans(), "subPath": st.just("x")},
            ),
            max_size=3,
            unique_by=lambda mount: mount["mountPath"],
        ),
    },
)
volumes: st.SearchStrategy[list[Json]] = st.lists(
    st.sampled_from(
        (
            {"emptyDir": {}},
            {"emptyDir": {"medium": "Memory", "sizeLimit": "2048Mi"}},
            {"configMap": {"name": "c", "items": [{"key": "a", "path": "b"}]}},
            {"secret": {"secretName": "s"}},
            {"persistentVolumeClaim": {"claimName": "p"}},
            {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {
                "projected": {
                    "sources": [{"serviceAccountToken": {"path": "t"}}, {"configMap": {"name": "c"}}]
                }
            },
            {"image": {"reference": "r:1"}},
            {"hostPath": {"path": "/x"}},
        )
    ),
    max_size=4,
)
pod_extras = optional(
    nodeSelector=labels,
    terminationGracePeriodSeconds=st.sampled_from((0, 30, 90)),
    serviceAccountName=words,
    automountServiceAccountToken=st.booleans(),
    enableServiceLinks=st.booleans(),
    securityContext=optional(runAsUser=st.just(1000), fsGroup=st.just(5)),
    tolerations=st.lists(
        st.sampled_from(
            (
                {"key": "gpu", "operator": "Exists"},
                {"key": "a", "value": "b", "effect": "NoSchedule"},
                {"operator": "Exists", "tolerationSeconds": 30, "effect": "NoExecute"},
            )
        ),
        max_size=2,
        unique_by=str,
    ),
    affinity=st.just(
        {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
                    ]
                }
            },
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "podAffinityTerm": {"topologyKey": "z", "labelSelector": {}}}
                ]
            },
        }
    ),
    topologySpreadConstraints=st.lists(
        st.sampled_from(
            (
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"},
                {"maxSkew": 2, "topologyKey": "host", "whenUnsatisfiable": "DoNotSchedule"},
            )
        ),
        max_size=2,
        unique_by=lambda constraint: constraint["topologyKey"],
    ),
)


@st.composite
def pod_specs(draw: st.DrawFn) -> Json:
    spec: Json = draw(pod_extras)
    names = ["engine", *draw(st.lists(words, max_size=2, unique=True))]
    drawn = draw(volumes)
    spec["volumes"] = [
        {"name": "empty", "emptyDir": {}},
        *({"name": f"v{number}", **volume} for number, volume in enumerate(drawn)),
    ]
    spec["containers"] = [{"name": name, **draw(containers)} for name in names]
    if draw(st.booleans()):
        spec["initContainers"] = [{"name": "agent", "restartPolicy": "Always", **draw(containers)}]
    return spec


@st.composite
def metadata(draw: st.DrawFn, name: str) -> Json:
    meta: Json = {"name": name}
    if draw(st.booleans()):
        meta["labels"] = draw(labels)
    if draw(st.booleans()):
        meta["annotations"] = draw(st.dictionaries(words, texts, max_size=2))
    if draw(st.booleans()):
        meta["finalizers"] = draw(st.lists(st.sampled_from(("x.dev/a", "x.dev/b")), max_size=2, unique=True))
    if draw(st.booleans()):
        meta["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "Node", "name": uid, "uid": uid, "controller": number == 0}
            for number, uid in enumerate(draw(st.lists(words, max_size=2, unique=True)))
        ]
    return meta


@st.composite
def deployments(draw: st.DrawFn) -> Json:
    spec: Json = draw(
        optional(
            replicas=st.integers(0, 3),
            revisionHistoryLimit=st.just(3),
            strategy=st.sampled_from(
                (
                    {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "25%"}},
                    {"rollingUpdate": {"maxSurge": 1}},
                )
            ),
        )
    )
    template = {"metadata": {"labels": draw(labels) | {"app": "x"}}, "spec": draw(pod_specs())}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": draw(metadata("drawn")),
        "spec": {**spec, "selector": {"matchLabels": {"app": "x"}}, "template": template},
    }


@st.composite
def services(draw: st.DrawFn) -> Json:
    ports = draw(
        st.lists(
            st.fixed_dictionaries(
                {"name": words, "port": st.sampled_from((80, 443, 8000))},
                optional={
                    "targetPort": st.sampled_from((80, "http")),
                    "protocol": st.sampled_from(("TCP", "UDP")),
                    "appProtocol": st.just("http"),
                },
            ),
            min_size=1,
            max_size=3,
            unique_by=(
                lambda port: port["name"],
                lambda port: (port["port"], port.get("protocol", "TCP")),
            ),
        )
    )
    extras = draw(
        optional(selector=labels, publishNotReadyAddresses=st.booleans(), clusterIP=st.just("None"))
    )
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": draw(metadata("drawn")),
        "spec": {**extras, "ports": ports},
    }


config_maps = st.builds(
    lambda meta, parts: {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **parts},
    metadata("drawn"),
    optional(data=st.dictionaries(words, texts, max_size=3), binaryData=st.just({"b": "YQ=="})),
)
budgets = st.builds(
    lambda meta, spec: {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": meta,
        "spec": spec,
    },
    metadata("drawn"),
    st.one_of(
        optional(selector=selectors, maxUnavailable=st.sampled_from((0, 1, "50%"))),
        optional(selector=selectors, minAvailable=st.sampled_from((0, 1, "50%"))),
    ),
)
_policy_ports = st.lists(
    optional(port=st.sampled_from((443, "http")), protocol=st.sampled_from(("TCP", "UDP"))), max_size=2
)
_policy_peers = st.lists(
    st.sampled_from(
        (
            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
            {"podSelector": {}},
            {"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {}},
        )
    ),
    max_size=2,
)
network_policies = st.builds(
    lambda meta, selector, spec: {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta,
        "spec": {"podSelector": selector, **spec},
    },
    metadata("drawn"),
    selectors,
    optional(
        policyTypes=st.sampled_from((["Ingress"], ["Ingress", "Egress"])),
        ingress=st.lists(optional(ports=_policy_ports, **{"from": _policy_peers}), max_size=2),
        egress=st.lists(optional(ports=_policy_ports, to=_policy_peers), max_size=2),
    ),
)
revisions = st.builds(
    lambda meta, data: {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": meta,
        "revision": 1,
        "data": data,
    },
    metadata("drawn"),
    st.sampled_from(({"a": 1}, {"a": 1, "b": [1, 2]}, {"a": {"b": "1000m"}}, {"resources": {"limits": {}}})),
)
EVERY_KIND = {
    "Deployment": deployments(),
    "Service": services(),
    "ConfigMap": config_maps,
    "PodDisruptionBudget": budgets,
    "NetworkPolicy": network_policies,
    "ControllerRevision": revisions,
}
