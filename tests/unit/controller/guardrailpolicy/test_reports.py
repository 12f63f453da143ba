"""Reports of failures in namespaces: what is in one, and when one is written or goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from pointsman.api import ObjectKey
from pointsman.controller.guardrailpolicy.findings import Findings
from pointsman.controller.guardrailpolicy.in_force import InForce
from pointsman.controller.guardrailpolicy.reporting import Reporting
from pointsman.controller.guardrailpolicy.reports import MOST_SHOWN, NAME, Failure, report
from pointsman.kube.errors import KindNotServed, LeadershipLost, NotFound
from pointsman.kube.objects import MODEL_DEPLOYMENT, REPORT, Kind, KubeObject, key_of
from pointsman.kube.ports import Chunk, Selection
from tests.support.policies import compiled, rule
from tests.support.polling import eventually_async

Json = dict[str, Any]

_POLICY = ObjectKey("", "house")
_RULES = {"rules": [rule("OWN-1", controls=["acme:A-1"], severity="high")]}


def _failure(name: str) -> Failure:
    (bound,) = compiled(_RULES).rules
    return Failure("house", bound, (MODEL_DEPLOYMENT, ObjectKey("team", name)), "it is wrong")


def test_a_report_says_what_fails_and_for_which_control() -> None:
    made = report(REPORT, "team", [_failure("chat")])

    assert made["summary"] == {"pass": 0, "fail": 1, "warn": 0, "error": 0, "skip": 0}
    assert made["results"] == [
        {
            "source": "pointsman",
            "policy": "house",
            "rule": "OWN-1",
            "severity": "high",
            "result": "fail",
            "scored": True,
            "resources": [
                {
                    "apiVersion": "pointsman.dev/v1alpha1",
                    "kind": "ModelDeployment",
                    "name": "chat",
                    "namespace": "team",
                }
            ],
            "message": "it is wrong",
            "properties": {"mode": "warn", "controls": "acme:A-1"},
        }
    ]


def test_all_are_counted_and_the_first_are_shown_in_any_order_of_arrival() -> None:
    many = [_failure(f"model-{number:04}") for number in range(MOST_SHOWN + 7)]

    made = report(REPORT, "team", many)

    assert (made["summary"]["fail"], len(made["results"])) == (MOST_SHOWN + 7, MOST_SHOWN)
    assert report(REPORT, "team", reversed(many)) == made


class Cluster:
    """Deployments that are judged, reports that are kept, and errors in their order."""

    def __init__(self, *names: str, former: tuple[str, ...] = ()) -> None:
        self.objects: dict[ObjectKey, KubeObject] = {}
        for name in names:
            self.put(name)
        self.reports: dict[str, KubeObject] = {
            one: {**report(REPORT, one, [_failure("old")]), "metadata": {"name": NAME, "namespace": one}}
            for one in former
        }
        self.listing: list[Exception] = []
        self.writing: dict[str, Exception] = {}
        self.waits: list[float] = []
        self.policies = [_POLICY]
        self.in_force = InForce()
        self.findings = Findings(
            self.in_force,
            lambda _, key: self.objects.get(key),
            lambda: [(MODEL_DEPLOYMENT, key) for key in self.objects],
            lambda _: None,
            lambda: datetime.now(UTC),
        )
        api: Any = self
        self.reporting = Reporting(
            REPORT, api, api, self.in_force, self.findings, lambda: self.policies, sleep=self.slept
        )
        self.findings.listen(self.reporting.changed)

    def put(self, name: str, **spec: Any) -> None:
        namespace, _, name = name.partition("/")
        key = ObjectKey(namespace, name)
        self.objects[key] = {
            "kind": "ModelDeployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"model": {"source": "hf://a/b"}, "engine": {"name": "vllm"}, **spec},
        }

    async def chunks(self, selection: Selection, size: int = 100) -> AsyncGenerator[Chunk, None]:
        if self.listing:
            raise self.listing.pop(0)
        yield Chunk(tuple(self.reports.values()), "1")

    async def apply(self, obj: KubeObject, manager: str, *, force: bool = False) -> KubeObject:
        namespace = key_of(obj).namespace
        if namespace in self.writing:
            raise self.writing.pop(namespace)
        self.reports[namespace] = obj
        return obj

    async def delete(self, kind: Kind, key: ObjectKey, uid: str = "") -> bool:
        return self.reports.pop(key.namespace, None) is not None

    async def slept(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    def has_heard(self, before: int) -> bool:
        """Whether it waited for a crowd once more than before."""
        return len(self.waits) > before

    async def reach(self, **counts: int) -> None:
        """Until each namespace's report counts so many failures, and no other has one."""
        running = [asyncio.create_task(one.run()) for one in (self.findings, self.reporting)]

        def counted() -> dict[str, int]:
            return {name: one["summary"]["fail"] for name, one in self.reports.items()}

        try:
            await eventually_async(lambda: counted() == counts, 20, "the reports are as wanted")
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.asyncio
async def test_a_report_comes_with_failures_and_goes_with_them() -> None:
    cluster = Cluster("a/one", "a/two", "b/one")
    cluster.in_force.hold(_POLICY, compiled(_RULES))
    await cluster.reach(a=2, b=1)

    cluster.put("b/one", license="mit")
    cluster.findings.saw(MODEL_DEPLOYMENT, ObjectKey("b", "one"))
    await cluster.reach(a=2)

    cluster.policies.clear()
    cluster.in_force.forget(_POLICY)
    await cluster.reach()


@pytest.mark.asyncio
async def test_reports_of_a_former_leader_stay_until_everything_was_looked_at() -> None:
    cluster = Cluster("a/one", former=("a", "gone"))
    running = asyncio.create_task(cluster.reporting.run())
    while len(cluster.waits) < 2:
        heard = len(cluster.waits)
        cluster.reporting.changed(["gone"])
        await eventually_async(partial(cluster.has_heard, heard), 20, "it was heard")
    assert set(cluster.reports) == {"a", "gone"}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    cluster.in_force.hold(_POLICY, compiled(_RULES))
    await cluster.reach(a=1)


@pytest.mark.asyncio
async def test_a_kind_that_is_not_there_is_asked_for_again() -> None:
    cluster = Cluster("a/one")
    cluster.listing = [KindNotServed("no"), KindNotServed("no")]
    cluster.in_force.hold(_POLICY, compiled(_RULES))

    await cluster.reach(a=1)

    assert cluster.waits[:2] == [60.0, 60.0]


@pytest.mark.asyncio
async def test_a_namespace_that_goes_holds_up_no_other_and_is_tried_again() -> None:
    cluster = Cluster("a/one", "b/one")
    cluster.writing = {"a": NotFound("the namespace is gone")}
    cluster.in_force.hold(_POLICY, compiled(_RULES))

    await cluster.reach(a=1, b=1)


@pytest.mark.asyncio
async def test_who_leads_no_more_writes_none() -> None:
    cluster = Cluster()
    cluster.listing = [LeadershipLost("gone")]
    with pytest.raises(LeadershipLost):
        await cluster.reporting.run()
