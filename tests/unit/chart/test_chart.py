"""What an installation must be whatever its values: few rights, pods that may do little, sound values."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import HelmError
from helm_python.chart import lint

from pointsman.cli.processes import read_fleet
from tests.golden.chart.test_renders import INSTALLATIONS
from tests.support.chart import CHART, notes, render

every_installation = pytest.mark.parametrize("values", INSTALLATIONS.values(), ids=INSTALLATIONS)


def rules(objects: list[dict[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Every rule of every role, with its role."""
    for one in objects:
        if one["kind"] in ("Role", "ClusterRole"):
            for rule in one["rules"]:
                yield one, rule


def pods(objects: list[dict[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for one in objects:
        if one["kind"] == "Deployment":
            yield one["spec"]["template"]["spec"]


def definitions(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in objects if one["kind"] == "CustomResourceDefinition"]


def test_lint_finds_nothing_that_is_wrong() -> None:
    found = lint(CHART)
    assert [message for message in found["messages"] if message["severity"] > 1] == []
    assert found["errors"] == []


@every_installation
def test_no_right_is_a_wildcard(values: dict[str, Any]) -> None:
    for role, rule in rules(render(values)):
        for field in ("apiGroups", "resources", "verbs"):
            assert "*" not in rule[field], role["metadata"]["name"]


@every_installation
def test_secrets_are_read_in_namespaces_that_were_opted_in_and_nowhere_else(values: dict[str, Any]) -> None:
    readers = {
        (role["kind"], role["metadata"].get("namespace"))
        for role, rule in rules(render(values))
        if "secrets" in rule["resources"]
    }
    assert readers == {("Role", namespace) for namespace in values.get("secretNamespaces", [])}


def test_claims_are_nobodys_to_make_or_to_remove() -> None:
    """The one that models share their downloads in outlives them: it is whoever's that made it."""
    fleet = {"weights": {"cacheClaim": "weights"}}
    for role, rule in rules(render({"fleet": fleet})):
        assert "persistentvolumeclaims" not in rule["resources"], role["metadata"]["name"]


def test_with_named_namespaces_nothing_but_nodes_is_read_across_the_cluster() -> None:
    objects = render({"watchNamespaces": ["chat"], "rbac": {"aggregatedRoles": False}})
    resources = {
        resource
        for role, rule in rules(objects)
        if role["kind"] == "ClusterRole"
        for resource in rule["resources"]
    }
    assert resources == {"nodes"}


def test_labels_of_namespaces_are_read_for_policies_and_where_names_are_given_out_by_them() -> None:
    names = {"gateway": {"names": [{"namespaceSelector": {}, "models": ["chat"]}]}}
    readers = {
        str(values): [
            (role["metadata"]["name"], rule.get("resourceNames"), rule["verbs"])
            for role, rule in rules(render(values))
            if "namespaces" in rule["resources"]
        ]
        for values in ({}, {"fleet": names}, {"fleet": names, "watchNamespaces": ["chat", "search"]})
    }
    assert list(readers.values()) == [
        [("pointsman-policies", None, ["list", "watch"])],
        [("pointsman-namespaces", None, ["list", "watch"]), ("pointsman-policies", None, ["list", "watch"])],
        [("pointsman-namespaces", ["chat", "search"], ["list", "watch"])],
    ]


@every_installation
def test_the_autoscaler_writes_numbers_and_what_it_says_of_them(values: dict[str, Any]) -> None:
    written = {
        (resource, verb)
        for role, rule in rules(render(values))
        if "-autoscaler" in role["metadata"]["name"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if verb not in ("get", "list", "watch")
    }
    assert written == {
        ("modeldeployments/scale", "patch"),
        ("modeldeployments/status", "patch"),
        ("events", "create"),
        ("events", "patch"),
        ("leases", "create"),
        ("leases", "update"),
    }


def test_without_an_autoscaler_there_is_nothing_of_it() -> None:
    objects = render({"autoscaler": {"enabled": False}, "serviceMonitor": {"enabled": True}})
    assert [one for one in objects if "autoscaler" in one["metadata"]["name"]] == []


@every_installation
def test_pods_run_without_privileges(values: dict[str, Any]) -> None:
    for pod in pods(render(values)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}


def test_definitions_are_kept_when_the_chart_is_removed_and_equal_the_generated_ones() -> None:
    rendered = {one["metadata"]["name"]: one for one in render() if one["kind"] == "CustomResourceDefinition"}
    generated = [
        yaml.safe_load(file.read_text(encoding="utf-8"))
        for file in Path(CHART.parents[1] / "crds").glob("*.yaml")
    ]
    assert len(rendered) == len(generated) == 3
    for definition in generated:
        one = rendered[definition["metadata"]["name"]]
        assert one["metadata"].pop("annotations") == {
            "helm.sh/resource-policy": "keep",
            **definition["metadata"].pop("annotations", {}),
        }
        assert one == definition


def test_without_their_definitions_nothing_is_rendered_of_them() -> None:
    assert not [
        one for one in render({"crds": {"install": False}}) if one["kind"] == "CustomResourceDefinition"
    ]


WRONG = {
    "a misspelt key": {"gatway": {}},
    "a tag that is a digest": {"image": {"digest": "latest"}},
    "a namespace that cannot be": {"secretNamespaces": ["Chat"]},
    "no operator": {"operator": {"replicas": 0}},
    "a grace period that cuts requests": {"gateway": {"terminationGracePeriodSeconds": 5}},
    "a misspelt fleet setting": {"fleet": {"egress": {"cidr": ["10.0.0.0/8"]}}},
    "a network that is none": {"fleet": {"egress": {"cidrs": ["everywhere"]}}},
    "a proxy that is nowhere": {"fleet": {"egress": {"proxy": {"url": "http://proxy:3128"}}}},
    "what is needed taken away": {"gateway": {"autoscaling": None}},
    "an amount that is none": {"operator": {"resources": {"limits": {"memory": "lots"}}}},
    "an image with its tag in the wrong place": {"image": {"repository": "registry.example.com/pointsman:1"}},
    "a misspelt kind of affinity": {"gateway": {"affinity": {"nodeAfinity": {}}}},
    "a toleration that Kubernetes has not": {"gateway": {"tolerations": [{"operator": "Equals"}]}},
    "a pull secret without its name": {"imagePullSecrets": [{"secret": "registry"}]},
    "a secret among plain settings": {"operator": {"env": {"AWS_SECRET_ACCESS_KEY": "x"}}},
    "a setting of something else": {"operator": {"env": {"PYTHONPATH": "/tmp"}}},
    "a label that pods are chosen by": {"operator": {"podLabels": {"app.kubernetes.io/name": "other"}}},
    "a claim that cannot be": {"fleet": {"weights": {"cacheClaim": "Model Weights"}}},
}


@pytest.mark.parametrize("values", WRONG.values(), ids=WRONG)
def test_wrong_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(HelmError, match="schema"):
        render(values)


def test_more_gateways_than_autoscaling_may_make_are_refused() -> None:
    with pytest.raises(HelmError, match=r"gateway.replicas \(20\) is more than .*maxReplicas \(10\)"):
        render({"gateway": {"replicas": 20}})
    render({"gateway": {"replicas": 20, "autoscaling": {"enabled": False}}})


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"fleet": {"evidence": {"file": "/var/lib/pointsman/evidence/r.jsonl"}}}, "file is on no volume"),
        (
            {"fleet": {"evidence": {"file": "/tmp/r.jsonl"}}, "operator": {"evidence": {"claim": "audit"}}},
            "file is on no volume",
        ),
        ({"operator": {"evidence": {"claim": "audit"}}}, "claim is used by nothing"),
        (
            {"fleet": {"evidence": {"objectStore": {"url": "s3://a/b", "credentialsFile": "/etc/c"}}}},
            "credentialsFile is not mounted",
        ),
        (
            {"fleet": {"evidence": {"objectStore": {"url": "s3://a/b"}}}, "watchNamespaces": ["chat"]},
            "has nothing to record",
        ),
    ],
)
def test_a_record_that_the_operator_could_not_write_is_refused(values: dict[str, Any], why: str) -> None:
    with pytest.raises(HelmError, match=why):
        render(values)


def test_a_record_in_a_file_is_on_a_claim_and_the_root_stays_read_only() -> None:
    file = {"evidence": {"file": "/var/lib/pointsman/evidence/record.jsonl"}}
    values = {"fleet": file, "operator": {"evidence": {"claim": "audit"}}}
    (operator,) = (pod for pod in pods(render(values)) if pod["containers"][0]["name"] == "operator")
    assert {"name": "evidence", "persistentVolumeClaim": {"claimName": "audit"}} in operator["volumes"]
    (container,) = operator["containers"]
    assert {"name": "evidence", "mountPath": "/var/lib/pointsman/evidence"} in container["volumeMounts"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_operator_may_have_an_identity_of_its_cloud() -> None:
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/audit"}
    operator = {
        "serviceAccount": {"annotations": role},
        "podLabels": {"azure.workload.identity/use": "true"},
        "env": {"AZURE_STORAGE_ACCOUNT_NAME": "audits"},
    }
    objects = render({"operator": operator})
    named = {(one["kind"], one["metadata"]["name"].rpartition("-")[2]): one for one in objects}
    assert named["ServiceAccount", "operator"]["metadata"]["annotations"] == role
    template = named["Deployment", "operator"]["spec"]["template"]
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    (container,) = template["spec"]["containers"]
    assert {"name": "AZURE_STORAGE_ACCOUNT_NAME", "value": "audits"} in container["env"]


def test_the_parts_of_a_pod_that_are_optional_may_be_taken_away() -> None:
    bare = {"resources": None, "nodeSelector": None, "tolerations": None, "affinity": None}
    for pod in pods(render({"operator": bare, "autoscaler": bare, "gateway": bare})):
        assert pod["containers"][0]["resources"] is None
        assert "affinity" not in pod


def test_every_fleet_setting_may_be_a_value_and_reaches_the_operator_as_it_is(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "corpus" / "valid" / "fleet.yaml").read_text(encoding="utf-8")
    rendered = render({"fleet": yaml.safe_load(text)})
    [settings] = [one for one in rendered if one["metadata"]["name"] == "pointsman-fleet"]
    (tmp_path / "fleet.yaml").write_text(settings["data"]["fleet.yaml"], encoding="utf-8")
    (tmp_path / "stated.yaml").write_text(text, encoding="utf-8")
    assert read_fleet(tmp_path / "fleet.yaml") == read_fleet(tmp_path / "stated.yaml")


def test_notes_say_when_no_key_can_be_read() -> None:
    assert "No namespace is opted in for Secrets" in notes()
    assert "No namespace is opted in for Secrets" not in notes({"secretNamespaces": ["chat"]})
