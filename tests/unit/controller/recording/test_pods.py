"""Pods in the operator's record: as what they were made from, however many come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from trestle.oscal.assessment_results import Model

from pointsman.api import FleetSettings, ObjectKey
from pointsman.cli.main import main
from pointsman.controller.due import Due
from pointsman.controller.recording.fleet import WatchedFleet
from pointsman.controller.recording.recorder import Recorder
from pointsman.kube.objects import GUARDRAIL_POLICY, MODEL_DEPLOYMENT
from pointsman.policy.evidence.gathered import MOST_NAMED
from pointsman.policy.evidence.recorded import shown
from pointsman.policy.verdicts import Outcome
from tests.support.policies import compiled, rule
from tests.support.polling import eventually_async
from tests.unit.controller.recording.scene import NOW, World

Json = dict[str, Any]

_HOUSE = ObjectKey("", "house")
_SEALED = "object.spec.containers.all(c, c.image.contains('@sha256:'))"
_PINNED, _LOOSE = "example.com/engine@sha256:1", "example.com/engine:latest"


def pod(
    name: str, image: str = _PINNED, *, by: str = "ReplicaSet", phase: str = "Running", **meta: Any
) -> Json:
    """Of chat; each has a token's volume and a node of its own."""
    owners = {"ownerReferences": [{"kind": by, "name": "chat-1", "controller": True}]} if by else {}
    labels = {"pointsman.dev/deployment": "chat", "apps.kubernetes.io/pod-index": name[-1]}
    token = f"kube-api-access-{name}"
    container = {
        "name": "engine",
        "image": image,
        "env": [{"name": "LWS_WORKER_INDEX", "value": name[-1]}],
        "volumeMounts": [{"name": token, "mountPath": "/token"}],
    }
    spec = {
        "nodeName": f"node-{name}",
        "hostname": name,
        "volumes": [{"name": token}],
        "containers": [container],
    }
    return {
        "metadata": {
            "namespace": "team",
            "name": name,
            "uid": f"uid-{name}",
            "labels": labels,
            **owners,
            **meta,
        },
        "spec": spec,
        "status": {"phase": phase},
    }


class Cluster:
    """What a replica watches, and the record that it keeps in a file."""

    def __init__(self, folder: Path, **house: Any) -> None:
        self.world = World(folder)
        self.house = compiled(
            {"rules": [rule("IMG-1", kinds=["Pod"], expression=_SEALED)], **house}, name="house"
        )
        self.pods: dict[str, Json] = {}
        self.deployments = {"chat"}
        self.labels: dict[str, str] = {}
        self.has_policy = True
        self._due: Due | None = None

    def put(self, *pods: Json) -> None:
        for one in pods:
            before, self.pods[one["metadata"]["name"]] = self.pods.get(one["metadata"]["name"]), one
            if self._due is not None:
                self._due.saw_pod(before, one)

    def remove(self, *names: str) -> None:
        for name in names:
            gone = self.pods.pop(name)
            if self._due is not None:
                self._due.saw_pod(gone, None)

    def delete_deployment(self) -> None:
        self.deployments.clear()
        if self._due is not None:
            self._due.saw(MODEL_DEPLOYMENT, _deployment("chat"), True)

    @asynccontextmanager
    async def led(self) -> AsyncIterator[Due]:
        """By a process that begins here and is gone afterwards, once all is written."""
        due = Due(FleetSettings(), self._recorder, lambda: self.world.now, 0.0)
        assert due.recorder is not None
        assert due.pods is not None
        for name in self.deployments:
            due.saw(MODEL_DEPLOYMENT, _deployment(name), False)
        due.saw(GUARDRAIL_POLICY, {"metadata": {"name": "house", "uid": "uid"}}, False)
        due.saw_namespace(None, self.namespace())
        for one in self.pods.values():
            due.saw_pod(None, one)
        self._due = due
        due.begin()
        due.recorder.heard.saw(self.house, "uid", 1, None)
        due.in_force.hold(_HOUSE, self.house)
        parts = (due.findings.run(), due.pods.run(), due.recorder.run(self.world.still_leads))
        running = [asyncio.create_task(part) for part in parts]
        try:
            yield due
            await self.settled()
        finally:
            self._due = None
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def settled(self) -> None:
        due = self._due
        assert due is not None
        assert due.pods is not None
        assert due.recorder is not None
        pods, recorder = due.pods, due.recorder
        await eventually_async(
            lambda: due.findings.is_idle and pods.is_idle and recorder.is_idle, 30, "all is written"
        )

    def namespace(self) -> Json:
        return {"metadata": {"name": "team", "labels": self.labels}}

    def _recorder(self, due: Due) -> Recorder:
        return Recorder(
            self.world.disk, "operator-0", WatchedFleet(due), lambda: self.world.now, gather_seconds=0.0
        )

    def told(self) -> list[tuple[str, str]]:
        """Of each entry about pods of whom it is, by the deployment or the pod, and what it says."""
        return [
            (
                body["name"].partition("@")[0],
                "gone" if body.get("gone") else body["outcomes"]["IMG-1"],
            )
            for body in self.world.bodies("verdict")
            if body["kind"] == "Pod"
        ]


def _deployment(name: str) -> Json:
    return {
        "metadata": {"namespace": "team", "name": name, "uid": f"uid-{name}", "resourceVersion": "1"},
        "spec": {"model": {"source": "hf://a/b"}, "engine": {"name": "vllm"}},
    }


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


async def test_pods_of_one_template_are_one_entry_and_one_by_hand_is_another(cluster: Cluster) -> None:
    async with cluster.led():
        cluster.put(*(pod(f"chat-{number}") for number in range(5)))
        cluster.put(
            pod("debug", _LOOSE, by=""), pod("job", _LOOSE, by="Job"), pod("done", _LOOSE, phase="Failed")
        )

    assert sorted(cluster.told()) == [("chat", "fail"), ("chat", "pass"), ("chat/debug", "fail")]
    verdicts = {(one.get("by"), one["name"][:5]): one for one in cluster.world.bodies("verdict")}
    assert set(verdicts) == {("ReplicaSet", "chat@"), ("Job", "chat@"), (None, "chat/")}
    assert verdicts[None, "chat/"]["uid"] == "uid-debug"
    assert verdicts["Job", "chat@"]["name"] == f"chat@{verdicts['Job', 'chat@']['object'][:12]}"


async def test_pods_that_come_and_go_are_no_news(cluster: Cluster) -> None:
    cluster.put(pod("chat-0"))
    async with cluster.led():
        await cluster.settled()
        cluster.remove("chat-0")
        await cluster.settled()
        cluster.put(pod("chat-1", annotations={"network": "10.0.0.1"}), pod("chat-2"))
    cluster.remove("chat-1")
    async with cluster.led():
        await cluster.settled()
        cluster.remove("chat-2")
    async with cluster.led():
        pass

    assert cluster.told() == [("chat", "pass")]


async def test_a_template_ends_where_another_is_there_and_all_end_with_their_deployment(
    cluster: Cluster,
) -> None:
    cluster.put(pod("chat-0"), pod("debug", by=""))
    async with cluster.led():
        await cluster.settled()
        cluster.put(pod("chat-1", _LOOSE))
        await cluster.settled()
        cluster.remove("chat-0", "debug")
        await cluster.settled()
        assert sorted(cluster.told()[2:]) == [("chat", "fail"), ("chat", "gone"), ("chat/debug", "gone")]
        cluster.remove("chat-1")
        await cluster.settled()
        cluster.delete_deployment()

    assert cluster.told()[5:] == [("chat", "gone")]


async def test_what_went_while_nobody_led_is_said(cluster: Cluster) -> None:
    cluster.put(pod("chat-0"), pod("debug", by=""))
    async with cluster.led():
        pass
    cluster.remove("chat-0", "debug")
    async with cluster.led():
        await cluster.settled()
        assert cluster.told()[2:] == [("chat/debug", "gone")]
    cluster.delete_deployment()
    async with cluster.led():
        pass

    assert cluster.told()[3:] == [("chat", "gone")]


async def test_pods_of_one_template_that_are_not_the_same_to_a_rule_are_two_entries(tmp_path: Path) -> None:
    noted = "object.metadata.?annotations[?'checked'].orValue('') == 'yes'"
    cluster = Cluster(tmp_path, rules=[rule("IMG-1", kinds=["Pod"], expression=noted)])
    cluster.put(pod("chat-0", annotations={"checked": "yes"}))
    async with cluster.led():
        await cluster.settled()
        cluster.put(pod("chat-1"))

    assert sorted(cluster.told()) == [("chat", "fail"), ("chat", "gone"), ("chat", "pass"), ("chat", "pass")]


async def test_pods_that_an_exception_admitted_fail_in_a_report_once_it_is_over(tmp_path: Path) -> None:
    exception = {
        "id": "EXC-1",
        "rules": ["IMG-1"],
        "match": {"names": ["chat"]},
        "until": (NOW + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "it is being built",
        "approvedBy": "security",
    }
    cluster = Cluster(tmp_path, exceptions=[exception])
    cluster.put(pod("chat-0", _LOOSE))
    async with cluster.led() as due:
        await cluster.settled()
        cluster.world.now += timedelta(hours=2)
        due.in_force.again(_HOUSE)

    assert cluster.told() == [("chat", "exempt")]
    entries = cluster.world.entries()
    reported = [shown(entries, at).judged[0].verdict.outcome for at in (NOW, cluster.world.now)]
    assert reported == [Outcome.EXEMPT, Outcome.FAIL]


async def test_a_policy_that_is_not_for_their_namespace_any_more_says_nothing_of_them(
    tmp_path: Path,
) -> None:
    selector = {"matchLabels": {"stage": "prod"}}
    cluster = Cluster(tmp_path, appliesTo={"namespaceSelector": selector})
    cluster.put(pod("chat-0"))
    async with cluster.led() as due:
        await cluster.settled()
        assert cluster.told() == []
        cluster.labels = {"stage": "prod"}
        due.saw_namespace(None, cluster.namespace())
        await cluster.settled()
        cluster.labels = {}
        due.saw_namespace(None, cluster.namespace())

    assert cluster.told() == [("chat", "pass"), ("chat", "gone")]


async def test_a_report_of_the_record_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packs = [{"name": "baseline-security"}]
    cluster = Cluster(tmp_path, rules=[], packs=packs)
    async with cluster.led():
        cluster.put(pod("chat-0"), pod("debug", _LOOSE, by=""))

    command = ["policy", "report", "--record", str(cluster.world.file), "--at", NOW.isoformat()]
    assert await asyncio.to_thread(main, [*command, "--framework", "kubescape"]) == 0
    text = capsys.readouterr().out
    template = next(body["name"] for body in cluster.world.bodies("verdict") if "@" in body["name"])
    assert "Pod team/chat/debug" in text
    assert f"Pod team/{template}" in text
    assert await asyncio.to_thread(main, [*command, "-o", "oscal"]) == 0
    Model.model_validate_json(capsys.readouterr().out)


@pytest.mark.parametrize("is_led", [True, False])
async def test_an_object_whose_namespace_leaves_a_policy_is_gone(is_led: bool, tmp_path: Path) -> None:
    selector = {"matchLabels": {"stage": "prod"}}
    cluster = Cluster(tmp_path, rules=[rule("LIC-1")], appliesTo={"namespaceSelector": selector})
    cluster.labels = {"stage": "prod"}
    async with cluster.led() as due:
        await cluster.settled()
        assert [one[0] for one in cluster.world.verdicts()] == ["chat"]
        if is_led:
            cluster.labels = {}
            due.saw_namespace(None, cluster.namespace())
    cluster.labels = {}
    async with cluster.led():
        pass

    assert [one.get("gone", False) for one in cluster.world.bodies("verdict")] == [False, True]


def written_to(number: int, image: str = _PINNED) -> Json:
    """One of chat's pods, into which something wrote a spec of its own."""
    one = pod(f"chat-{number}", image)
    one["metadata"]["labels"]["pod-template-hash"] = "7d9c5b8f6"
    one["spec"]["containers"][0]["name"] = f"engine-{number}"
    return one


async def test_pods_that_each_have_another_spec_are_one_entry_that_says_so(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.put(*(written_to(number) for number in range(4)))
    async with cluster.led():
        await cluster.settled()
        assert cluster.told() == [("chat", "pass")] * 4
        for number in range(4, 60, 8):
            cluster.put(*(written_to(at) for at in range(number, number + 8)))
            await cluster.settled()
            cluster.remove(*sorted(cluster.pods)[:6])
            await cluster.settled()
    assert len(cluster.told()) <= 2 * MOST_NAMED + 1
    (many,) = [one for one in cluster.world.bodies("verdict") if "unnamed" in one]
    assert many["name"] == "chat@*ReplicaSet-7d9c5b8f6"
    assert many["object"] == ""
    assert many["unnamed"] > 1

    before = len(cluster.told())
    cluster.put(*(written_to(number) for number in range(100, 100 + MOST_NAMED)))
    async with cluster.led():
        pass
    assert len(cluster.told()) == before, "who leads next repeats nothing"

    command = ["policy", "report", "--record", str(cluster.world.file), "--at", NOW.isoformat()]
    assert await asyncio.to_thread(main, command) == 0
    said = f"not named each: Pod team/{many['name']} stands for pods that differ ({many['unnamed']} when"
    assert said in capsys.readouterr().out


async def test_pods_that_are_not_named_each_are_as_bad_as_the_worst(cluster: Cluster) -> None:
    cluster.put(*(written_to(number) for number in range(20)))
    async with cluster.led():
        await cluster.settled()
        cluster.put(written_to(20, _LOOSE), written_to(21, _LOOSE))
        await cluster.settled()
        cluster.remove("chat-20")
        await cluster.settled()
        assert cluster.told() == [("chat", "pass"), ("chat", "fail")]
        cluster.remove("chat-21")
        await cluster.settled()
        cluster.put(pod("other-0"))
        cluster.remove(*(f"chat-{number}" for number in range(20)))

    assert cluster.told()[2:] == [("chat", "pass"), ("chat", "pass"), ("chat", "gone")]


async def test_what_is_said_of_a_single_pod_is_not_in_the_entry_of_many(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rules=[], packs=[{"name": "baseline-security"}])
    async with cluster.led():
        for begin in (0, 20, 40):
            before = list(cluster.pods)
            cluster.put(*(written_to(number) for number in range(begin, begin + 20)))
            cluster.remove(*before)
            await cluster.settled()

    (many,) = [one for one in cluster.world.bodies("verdict") if "unnamed" in one]
    assert "fail" in many["outcomes"].values()
    assert "engine-" not in str(many["messages"])


async def test_rules_that_changed_judge_the_pods_anew(cluster: Cluster) -> None:
    cluster.put(pod("chat-0", _LOOSE))
    async with cluster.led() as due:
        await cluster.settled()
        lax = compiled({"rules": [rule("IMG-1", kinds=["Pod"], expression="true")]}, name="house")
        due.in_force.hold(_HOUSE, lax)

    assert cluster.told() == [("chat", "fail"), ("chat", "pass")]
