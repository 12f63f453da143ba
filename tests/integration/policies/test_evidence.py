"""The record that the operator keeps: each change is in it once, whatever becomes of the operator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli.main import main
from tests.integration.policies.saying import API, condition, deployment, wait_ready, withdraw
from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import Installation
from tests.support.policies import LICENSED, policy_for, rule
from tests.support.polling import eventually

Json = dict[str, Any]

_KIND = "ModelDeployment"


def entries(record: Path) -> list[Json]:
    """What the record says; of a line that is just written nothing."""
    text = record.read_text("utf-8") if record.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def told(record: Path, kind: str) -> list[tuple[Any, ...]]:
    """Of entries of one kind what they say, in a word or two."""
    shown: dict[str, Callable[[Json], tuple[Any, ...]]] = {
        "policy": lambda body: (body["state"],),
        "exception": lambda body: (body["id"], body["state"]),
        "verdict": lambda body: (
            body["name"],
            body.get("generation", "gone"),
            body.get("outcomes", {}).get("LIC-1"),
        ),
        "start": lambda body: (body["writer"],),
        "gap": lambda body: (body["why"],),
    }
    bodies = [one["body"] for one in entries(record) if one["kind"] == kind]
    return [shown[kind](one) for one in bodies if one.get("kind") != "Pod"]


def told_of_pods(record: Path) -> list[tuple[Any, ...]]:
    """Of entries about pods of which they are, what made them, and what is said."""
    bodies = [one["body"] for one in entries(record) if one["body"].get("kind") == "Pod"]
    return sorted(
        (one["name"].partition("@")[0], one.get("by"), one.get("outcomes", {}).get("IMG-1", "gone"))
        for one in bodies
    )


def test_each_change_is_recorded_once_whatever_becomes_of_the_operator(
    admin: Admin,
    namespace: str,
    installation: Installation,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record, fleet = tmp_path / "record.jsonl", tmp_path / "fleet.yaml"
    fleet.write_text(f"evidence: {{file: {record}}}")
    arguments = ("--fleet", str(fleet))
    secret = "sk-a-key-that-belongs-in-no-record"
    exception = {
        "id": "EXC-1",
        "rules": ["LIC-1"],
        "match": {"names": ["other"]},
        "until": "2126-01-31T00:00:00Z",
        "reason": "it is being asked for",
        "approvedBy": "legal",
    }
    pinned = rule(
        "IMG-1",
        kinds=["Pod"],
        expression="object.spec.containers.all(c, c.image.contains('@sha256:'))",
        message="an image is not pinned",
    )
    policy = policy_for(namespace, mode="audit", rules=[LICENSED, pinned])
    with installation.operator(arguments=arguments) as operator:
        admin.create(policy)
        wait_ready(admin, namespace)
        engine = {"name": "vllm", "env": [{"name": "KEY", "value": secret}]}
        admin.create(deployment("chat", engine=engine), namespace)
        eventually(lambda: told(record, "verdict") == [("chat", 1, "fail")], 60, "it is judged")
        admin.patch(API, _KIND, "chat", {"spec": {"license": "mit"}}, namespace)
        eventually(lambda: told(record, "verdict")[1:] == [("chat", 2, "pass")], 60, "it is judged again")
        admin.create(_replica_set(), namespace)
        admin.create(
            {"apiVersion": "v1", "kind": "Pod", **_pod(), "metadata": {"name": "debug", **_LABEL}}, namespace
        )
        pods = [("batch", "ReplicaSet", "fail"), ("batch/debug", None, "fail")]
        eventually(lambda: told_of_pods(record) == pods, 60, "pods of one template are one entry")
        eventually(lambda: condition(admin, namespace, "Recorded").get("status") == "True", 60, "it is said")
        operator.kill()
    assert told(record, "policy") == [("compiled",), ("enforced",)]
    # A writer that is killed in the middle of a line.
    whole = record.read_bytes()
    record.write_bytes(whole + whole.splitlines()[-1][:40])
    admin.create(deployment("other"), namespace)
    admin.patch(API, "GuardrailPolicy", namespace, {"spec": {"exceptions": [exception]}})
    admin.delete(API, _KIND, "chat", namespace)
    admin.delete("v1", "Pod", "debug", namespace, grace_seconds=0)

    with installation.operator(arguments=arguments):
        eventually(lambda: len(told(record, "verdict")) == 4, 60, "what happened meanwhile is there")
        eventually(lambda: len(told(record, "policy")) == 3, 60, "the exception is in the native policy")
        ended = [*pods, ("batch/debug", None, "gone")]
        eventually(lambda: told_of_pods(record) == ended, 60, "the pod that went is told of")
        status = eventually(lambda: _evidence_of(admin, namespace, record), 90, "the status has the head")
        assert status is not None
        withdraw(admin, namespace)
        eventually(lambda: ("deleted",) in told(record, "policy"), 60, "its end is recorded")

    assert record.read_bytes().startswith(whole)
    assert sorted(told(record, "verdict")[2:], key=str) == [("chat", "gone", None), ("other", 1, "exempt")]
    assert told(record, "exception") == [("EXC-1", "added"), ("EXC-1", "ended")]
    assert told(record, "policy") == [("compiled",), ("enforced",), ("enforced",), ("deleted",)]
    assert told(record, "start") == [("operator-0",), ("operator-0",)]
    assert told(record, "gap") == [("an incomplete last line of 40 bytes was taken away",)]
    assert secret not in record.read_text("utf-8")
    head = ["--head", status["head"], "--entries", str(status["entries"])]
    assert main(["policy", "evidence", "verify", str(record), *head]) == 0
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(record.read_bytes().splitlines(keepends=True)[: status["entries"] - 1]))
    assert main(["policy", "evidence", "verify", str(cut), *head]) == 1
    assert f"the record ends here and is known to have {status['entries']} entries" in capsys.readouterr().err


_LABEL: Json = {"labels": {"pointsman.dev/deployment": "batch"}}


def _pod() -> Json:
    return {"spec": {"containers": [{"name": "engine", "image": "example.com/engine"}]}}


def _replica_set() -> Json:
    selector = {"matchLabels": _LABEL["labels"] | {"made": "yes"}}
    template = {**_pod(), "metadata": {"labels": selector["matchLabels"]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "batch"},
        "spec": {"replicas": 3, "selector": selector, "template": template},
    }


def _evidence_of(admin: Admin, policy: str, record: Path) -> Json | None:
    """What the status says of the record, once that is its end."""
    said: Json = admin.get(API, "GuardrailPolicy", policy)["status"].get("evidence", {})
    return said if said.get("entries") == len(entries(record)) else None
