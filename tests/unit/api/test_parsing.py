"""What reading files returns, beyond the corpus of broken ones: objects, and what is passed over."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.api import FleetSettings, ModelDeployment, ModelRoute, Secret
from pointsman.api.documents import read_documents
from pointsman.api.parsing import parse_documents
from pointsman.api.resource import Resource
from tests.support.api_samples import VALID_FILES

DEPLOYMENT = """\
apiVersion: pointsman.dev/v1alpha1
kind: ModelDeployment
metadata: {name: small}
spec:
  model: {source: "hf://a/b"}
  engine: {name: llama.cpp}
"""


@pytest.mark.parametrize("file", VALID_FILES, ids=lambda file: file.stem)
def test_a_file_that_states_every_field_is_read_without_a_finding(file: Path) -> None:
    objects, findings = parse_documents(str(file), file.read_text())
    assert [finding.text() for finding in findings] == []
    assert objects


@pytest.mark.parametrize("file", VALID_FILES, ids=lambda file: file.stem)
def test_what_was_read_can_be_written_and_read_again(file: Path) -> None:
    objects, _ = parse_documents(str(file), file.read_text())
    documents, _ = read_documents(file.read_text())
    for located, document in zip(objects, documents, strict=True):
        written = located.resource.to_document()
        assert type(located.resource).model_validate(written) == located.resource
        if isinstance(located.resource, Resource):
            assert written["metadata"] == document.plain()["metadata"]


def test_defaults_are_filled_in() -> None:
    (located,), _ = parse_documents("a.yaml", DEPLOYMENT)
    deployment = located.resource
    assert isinstance(deployment, ModelDeployment)
    assert deployment.metadata.namespace == "default"
    assert deployment.spec.replicas == 1
    assert deployment.spec.drain.timeout.seconds == 600
    assert deployment.spec.tasks == ("chat", "completion")
    assert deployment.served_names == ("small",)


def test_a_route_waits_and_cools_down_by_default() -> None:
    text = (
        "apiVersion: pointsman.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: r}\nspec:\n  models: [m]\n"
        "  rules: [{targets: [{deployment: a}], fallback: {targets: [{deployment: b}]}}]\n"
    )
    (located,), _ = parse_documents("a.yaml", text)
    assert isinstance(located.resource, ModelRoute)
    (rule,) = located.resource.spec.rules
    assert (rule.timeouts.request, rule.timeouts.first_token, rule.timeouts.idle) == ("10m", None, "5m")
    assert rule.fallback is not None
    assert (rule.fallback.cooldown.failures, rule.fallback.cooldown.for_) == (5, "30s")
    assert "refusal" not in rule.fallback.when
    assert len(rule.fallback.when) == 7
    assert rule.targets[0].weight == 1


def test_what_kubectl_get_prints_can_be_read_back() -> None:
    text = DEPLOYMENT.replace(
        "metadata: {name: small}",
        "metadata:\n  name: small\n  uid: 1-2\n  resourceVersion: '5'\n  generation: 3\n"
        "  creationTimestamp: 2026-01-01T00:00:00Z\n  managedFields: [{manager: kubectl, fieldsV1: {}}]",
    )
    objects, findings = parse_documents("a.yaml", text + "status: {anything: [at, all]}\n")
    assert findings == []
    assert isinstance(objects[0].resource, ModelDeployment)
    assert objects[0].resource.metadata.generation == 3
    assert objects[0].resource.status.conditions == ()


def test_what_generators_leave_empty_in_metadata_is_no_mistake() -> None:
    text = DEPLOYMENT.replace("{name: small}", "{name: small, creationTimestamp: null, labels: }")
    objects, findings = parse_documents("a.yaml", text)
    assert (len(objects), findings) == (1, [])


def test_objects_after_a_wrong_one_are_read() -> None:
    objects, findings = parse_documents("a.yaml", f"kind: 5\n---\n{DEPLOYMENT}---\n{DEPLOYMENT}")
    assert (len(objects), len(findings)) == (2, 1)


def test_objects_of_other_projects_are_passed_over_with_a_warning() -> None:
    objects, findings = parse_documents("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    assert objects == []
    assert [(finding.severity, finding.subject) for finding in findings] == [
        ("warning", "ConfigMap default/x")
    ]


def test_the_fleet_settings_are_the_file_of_that_name() -> None:
    for name in ("fleet.yaml", "deploy/fleet.yml"):
        (located,), findings = parse_documents(name, "currency: EUR\n")
        assert findings == []
        assert isinstance(located.resource, FleetSettings)
        assert located.resource.currency == "EUR"
    objects, findings = parse_documents("my-fleet.yaml", "currency: EUR\n")
    assert objects == []
    assert len(findings) == 1


def test_one_mistake_many_times_is_not_a_thousand_lines() -> None:
    for text in (DEPLOYMENT + "".join(f"  k{n}: 1\n" for n in range(5000)), "".join(["a: 1\n"] * 5000)):
        findings = parse_documents("a.yaml", text)[1]
        assert len(findings) in (51, 52)
        assert sum("further findings from here on are not shown" in finding.what for finding in findings) == 1


SECRET_PLACES = (
    "data: {key: VALUE}",
    "stringData: {key: [VALUE]}",
    "stringData: VALUE",
    "data: [VALUE]",
    "type: [VALUE]",
    "stringData: {'a key': VALUE}",
    "immutable: VALUE",
)


@pytest.mark.parametrize("place", SECRET_PLACES)
@given(value=st.text(alphabet="abcXYZ019!-_", min_size=12, max_size=40))
def test_no_finding_repeats_a_value_of_a_secret(place: str, value: str) -> None:
    text = (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{place.replace('VALUE', repr('~' + value))}\n"
    )
    objects, findings = parse_documents("a.yaml", text)
    for finding in findings:
        assert value not in finding.text()
    for located in objects:
        assert value not in repr(located.resource)


def test_a_secret_says_where_its_values_are_and_where_they_may_go() -> None:
    text = """\
apiVersion: v1
kind: Secret
metadata:
  name: openai
  annotations:
    pointsman.dev/allowed-hosts: " api.openai.com ,API.example.com,"
    pointsman.dev/env.api-key: OPENAI_API_KEY
    pointsman.dev/file.ca.crt: ./ca.crt
data: {other: aGVsbG8=, both: aGVsbG8=}
stringData: {both: plain}
"""
    (located,), findings = parse_documents("a.yaml", text)
    assert findings == []
    secret = located.resource
    assert isinstance(secret, Secret)
    assert secret.allowed_hosts == {"api.openai.com", "api.example.com"}
    assert secret.environment_variables == {"api-key": "OPENAI_API_KEY"}
    assert secret.files == {"ca.crt": "./ca.crt"}
    assert secret.keys == {"other", "both", "api-key", "ca.crt"}
    assert (secret.value("other"), secret.value("both"), secret.value("api-key")) == (
        b"hello",
        b"plain",
        None,
    )
    assert secret.with_values({"api-key": "sk"}).value("api-key") == b"sk"
    assert "hello" not in repr(secret)
    assert "aGVsbG8" not in repr(secret)


@pytest.mark.parametrize(
    ("file", "text", "path"),
    [
        ("fleet.yaml", '"[key]": 1\n', '["[key]"]'),
        ("a.yaml", '"[key]": 1\n', "kind"),
        ("a.yaml", 'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"[key]": 1\n', '["[key]"]'),
        (
            "a.yaml",
            'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {"[key]": YQ==}\n',
            'data["[key]"]',
        ),
        ("a.yaml", 'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {"a b": YQ==}\n', 'data["a b"]'),
    ],
)
def test_a_key_may_be_named_as_pydantic_names_keys(file: str, text: str, path: str) -> None:
    _, findings = parse_documents(file, text)
    assert {finding.path for finding in findings} == {path}
