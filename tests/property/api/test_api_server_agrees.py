"""The API server's own code takes our definitions, and the same objects as the Python models.

Left out, because the two differ on purpose: empty values (we refuse them everywhere, the API server only
where the field has no default) and the spelling of metadata, which the API server checks elsewhere.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from pointsman.api.parsing import parse_documents
from tests.support.api_samples import Json, damaged_documents, valid_documents
from tests.support.crds.judge import CrdJudge

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[3]
OURS = ("ModelDeployment", "ModelRoute", "GuardrailPolicy")


@pytest.fixture(scope="module")
def judge() -> Iterator[CrdJudge]:
    with CrdJudge(sorted((ROOT / "crds").glob("*.yaml"))) as running:
        yield running


def errors_of_ours(document: Json) -> list[str]:
    _, findings = parse_documents("file.yaml", yaml.safe_dump(document, allow_unicode=True))
    return [finding.text() for finding in findings if finding.is_error]


def has_empty_value(value: Json) -> bool:
    if isinstance(value, dict):
        return any(item is None or has_empty_value(item) for item in value.values())
    return isinstance(value, list) and any(item is None or has_empty_value(item) for item in value)


def has_whole_float(value: Json) -> bool:
    """1e300 is whole to the API server's decoder and too large for a Python reader of 64 bits."""
    if isinstance(value, dict):
        return any(has_whole_float(item) for item in value.values())
    if isinstance(value, list):
        return any(has_whole_float(item) for item in value)
    return (isinstance(value, float) and value.is_integer()) or (
        isinstance(value, int) and abs(value) >= 2**53
    )


def test_the_definitions_are_structural_and_their_rules_cheap_enough(judge: CrdJudge) -> None:
    assert judge.wrong_definitions == []


@pytest.mark.parametrize(
    "document", [d for d in valid_documents() if d["kind"] in OURS], ids=lambda d: d["kind"]
)
def test_a_valid_object_is_taken(judge: CrdJudge, document: Json) -> None:
    assert judge.errors_of(document) == []


@given(damaged_documents(keep=("apiVersion", "kind", "metadata")))
@settings(max_examples=3_000, suppress_health_check=list(HealthCheck))
def test_both_take_and_both_refuse(judge: CrdJudge, document: Json) -> None:
    assume(document["kind"] in OURS)
    assume(not has_empty_value(document) and not has_whole_float(document))
    ours, theirs = errors_of_ours(document), judge.errors_of(document)
    assert bool(ours) == bool(theirs), (ours, theirs)


ROUTE = next(document for document in valid_documents() if document["kind"] == "ModelRoute")


def route_with_regex(regex: str) -> Json:
    match = {"headers": [{"name": "x-tier", "regex": regex}]}
    rules = [{"match": match, "targets": [{"deployment": "small"}]}]
    return {**ROUTE, "spec": {"models": ["chat"], "rules": rules}}


@given(st.text(alphabet="ab1.*+?()[]{}|\\^$-:=!<>P,", min_size=1, max_size=12))
@example("(?i)gold")
@example("(?=gold)")
@example("a{1001}")
@example("(a)\\1")
@example("\\\\1")
@example("(?P<tier>gold)")
@example("[[:alpha:]]+")
@example("\\pL")
@example("a**")
@example("a++")
@settings(max_examples=2_000, suppress_health_check=list(HealthCheck))
def test_both_read_the_same_regular_expressions(judge: CrdJudge, regex: str) -> None:
    document = route_with_regex(regex)
    ours, theirs = errors_of_ours(document), judge.errors_of(document)
    assert bool(ours) == bool(theirs), (regex, ours, theirs)


HOSTED = next(d for d in valid_documents() if d["kind"] == "ModelDeployment" and "hosted" in d["spec"])


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("api.example.com", True),
        ("[::1]:8080", True),
        ("[::1.2.3.4]", True),
        ("[1:2:3:4:5:6:7::]", True),
        ("[ABCD::]", True),
        ("[1:2]", False),
        ("[:::]", False),
        ("[.]", False),
        ("[1.2.3.4]", False),
        ("[::ffff:1.2.3.4]", False),
        ("[::00001]", False),
        ("[1::2::3]", False),
    ],
)
def test_both_read_the_same_hosts(judge: CrdJudge, host: str, taken: bool) -> None:
    document = {**HOSTED, "spec": {"hosted": {**HOSTED["spec"]["hosted"], "baseURL": f"https://{host}/v1"}}}
    ours, theirs = errors_of_ours(document), judge.errors_of(document)
    assert (not ours, not theirs) == (taken, taken), (ours, theirs)


def resources(cpu: Json) -> Json:
    own = next(d for d in valid_documents() if d["kind"] == "ModelDeployment" and "model" in d["spec"])
    return {**own, "spec": {**own["spec"], "template": {"resources": {"limits": {"cpu": cpu}}}}}


@pytest.mark.parametrize(
    ("quantity", "taken"),
    [
        (4, True),
        (0, True),
        ("500m", True),
        ("1.5", True),
        ("3e2", True),
        (-1, False),
        ("-1", False),
        (0.5, False),
        ("4 Gi", False),
        ("4GB", False),
        ("", False),
    ],
)
def test_both_read_the_same_quantities(judge: CrdJudge, quantity: Json, taken: bool) -> None:
    ours, theirs = errors_of_ours(resources(quantity)), judge.errors_of(resources(quantity))
    assert (not ours, not theirs) == (taken, taken), (ours, theirs)
