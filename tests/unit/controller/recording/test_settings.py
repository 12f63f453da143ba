"""Where the fleet settings keep a record; what they cannot mean is one line."""

from __future__ import annotations

import pytest

from pointsman.api.examination import examine
from pointsman.api.fleet import EvidenceSettings
from pointsman.controller.recording.fleet import place_of


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ({"file": "/var/lib/record.jsonl"}, "/var/lib/record.jsonl"),
        ({"objectStore": {"url": "s3://audit/fleet/"}}, "s3://audit/fleet"),
        ({"objectStore": {"url": "gs://audit/a/b", "credentialsFile": "/etc/c"}}, "gs://audit/a/b"),
    ],
)
def test_a_record_is_where_it_is_said_to_be(stated: dict[str, object], name: str) -> None:
    assert place_of(EvidenceSettings.model_validate(stated)).name == name


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ("{}", "evidence: does not name one place; write file or objectStore"),
        ("{file: /a/b, objectStore: {url: 's3://a/b'}}", "evidence: does not name one place"),
        ("{file: record.jsonl}", "evidence.file: must be an absolute path of a file"),
        ("{objectStore: {url: 's3://audit'}}", "evidence.objectStore.url: must be a bucket with a prefix"),
        ("{objectStore: {url: 'https://audit/x'}}", "evidence.objectStore.url: must be a bucket"),
    ],
)
def test_what_names_no_place_is_refused(stated: str, why: str) -> None:
    (found,) = examine({"fleet.yaml": f"evidence: {stated}\n"}, "any").findings
    assert why in found.text()
    assert found.is_error
