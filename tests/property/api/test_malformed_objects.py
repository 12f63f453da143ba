"""Whatever stands in a file, reading it ends in findings that point at a field, and never in a traceback.

POINTSMAN_FUZZ_EXAMPLES says how many objects in all; `make test-all` asks for 20,000.
"""

import os

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.api.checks import Mode
from pointsman.api.examination import Examination, examine
from pointsman.api.resource import Resource
from tests.support.api_samples import JSON, SECRET_VALUE, VALID_FILES, Json, damaged_documents

_DEFAULT = 1_500
_LONG = 20_000
_SHARES = {"damaged": 0.7, "arbitrary": 0.1, "text": 0.2}

MODES: st.SearchStrategy[Mode] = st.sampled_from(["any", "local", "cluster"])
_SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def examples(kind: str, total: int) -> settings:
    return settings(max_examples=round(total * _SHARES[kind]), suppress_health_check=_SLOW_IS_FINE)


def asked_for() -> int:
    return int(os.environ.get("POINTSMAN_FUZZ_EXAMPLES", _DEFAULT))


def as_text(document: Json) -> str:
    return yaml.dump(document, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True)


def check(examination: Examination, text: str) -> None:
    last_line = text.count("\n") + 1
    for finding in examination.findings:
        said = finding.text()
        assert "\n" not in said
        assert finding.what
        assert finding.todo
        assert 1 <= finding.line <= last_line
        assert SECRET_VALUE not in said
    for located in examination.objects:
        if isinstance(located.resource, Resource):
            again = type(located.resource).model_validate(located.resource.to_document())
            assert again == located.resource


def each_points_at_a_field(examination: Examination) -> None:
    assert [finding.text() for finding in examination.findings if not finding.path] == []


def damaged(document: Json, mode: Mode) -> None:
    text = as_text(document)
    examination = examine({"file.yaml": text}, mode)
    check(examination, text)
    each_points_at_a_field(examination)


def arbitrary(document: Json, mode: Mode) -> None:
    text = as_text(document)
    for name in ("file.yaml", "fleet.yaml"):
        examination = examine({name: text}, mode)
        check(examination, text)
        if isinstance(document, dict):
            each_points_at_a_field(examination)


def damaged_text(text: str, mode: Mode) -> None:
    check(examine({"file.yaml": text}, mode), text)


@st.composite
def damaged_texts(draw: st.DrawFn) -> str:
    """A valid file with a few characters removed, inserted or doubled."""
    text = draw(st.sampled_from(VALID_FILES)).read_text()
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        until = at + draw(st.integers(0, 12))
        put = draw(
            st.sampled_from(
                ["", "\t", "\n", ":", "- ", "'", '"', "{", "]", "&a ", "*a", "!", "#", "\x00", "|"]
            )
        )
        text = text[:at] + put + draw(st.sampled_from(["", text[at:until] * 2])) + text[until:]
    return text


@given(damaged_documents(), MODES)
@examples("damaged", asked_for())
def test_a_damaged_object_ends_in_findings_that_point_at_fields(document: Json, mode: Mode) -> None:
    damaged(document, mode)


@given(JSON | st.dictionaries(st.sampled_from(["apiVersion", "kind", "metadata", "spec"]), JSON), MODES)
@examples("arbitrary", asked_for())
def test_anything_at_all_ends_in_findings(document: Json, mode: Mode) -> None:
    arbitrary(document, mode)


@given(damaged_texts() | st.text(max_size=40), MODES)
@examples("text", asked_for())
def test_a_damaged_text_ends_in_findings(text: str, mode: Mode) -> None:
    damaged_text(text, mode)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_twenty_thousand_malformed_objects() -> None:
    total = max(_LONG, asked_for())
    examples("damaged", total)(given(damaged_documents(), MODES)(damaged))()
    examples("arbitrary", total)(given(JSON, MODES)(arbitrary))()
    examples("text", total)(given(damaged_texts(), MODES)(damaged_text))()
