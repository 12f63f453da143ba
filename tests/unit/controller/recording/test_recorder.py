"""The operator's record: what is heard is there once, and what could not be written is said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.controller.metrics import OperatorMetrics
from pointsman.controller.recording.gauges import make_gauges
from pointsman.controller.recording.hearing import Looked
from pointsman.kube.errors import LeadershipLost
from pointsman.policy.evidence.known import Held
from pointsman.policy.evidence.record import Entry, EntryKind, Verified, chained, entries_of
from pointsman.policy.verdicts import verdicts
from pointsman.records.bucket import RecordBucket
from pointsman.records.file import append
from tests.support.object_store import ObjectStore
from tests.support.policies import compiled, rule
from tests.support.polling import eventually_async
from tests.unit.controller.recording.scene import HOUSE, NOW, World, leading, model, settled
from tests.unit.records.test_bucket import credentials

_LONG = 1_000_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def first_write(world: World) -> None:
    async with leading(world.recorder(), world) as recorder:
        recorder.heard.saw(HOUSE, "uid", 1, Held("digest"))
        world.judge(recorder, model("chat"), model("other", license="mit"))


async def test_what_is_heard_is_written_in_its_order(world: World) -> None:
    await first_write(world)

    kinds = [one.kind.value for one in world.entries()]
    assert kinds == ["start", "policy", "policy", "verdict", "verdict"]
    start, compiled, held = world.bodies("start", "policy")
    assert (start["writer"], "since" in start) == ("operator-0", False)
    assert (compiled["state"], [one["id"] for one in compiled["rules"]]) == ("compiled", ["LIC-1"])
    assert (held["state"], held["native"], held["digest"]) == ("enforced", "digest", compiled["digest"])
    chat, _ = world.bodies("verdict")
    assert (chat["uid"], chat["generation"], chat["messages"]) == ("uid-chat", 1, {"LIC-1": "it is wrong"})
    assert world.verdicts() == [("chat", 1, "fail"), ("other", 1, "pass")]
    assert world.told == [("house", False)]


async def test_nothing_is_written_while_nothing_changes(world: World) -> None:
    await first_write(world)
    before = world.file.read_bytes()
    asked = world.disk.asked
    world.shown.update(entry.hash for entry in world.entries()[2:])

    async with leading(world.recorder("operator-1"), world) as recorder:
        for _ in range(3):
            recorder.heard.saw(HOUSE, "uid", 1, None)
            recorder.heard.saw(HOUSE, "uid", 1, Held("digest"))
            world.judge(recorder, model("chat"), model("other", license="mit"))
            await settled(recorder)

    assert world.file.read_bytes() == before
    assert world.disk.asked == asked


async def test_who_takes_over_goes_on_and_says_what_happened_meanwhile(world: World) -> None:
    await first_write(world)
    del world.there["other"]
    world.now += timedelta(hours=1)

    async with leading(world.recorder("operator-1"), world) as recorder:
        world.judge(recorder, model("chat", 4, license="mit"))

    *_, start, chat, other = world.bodies("start", "verdict")
    assert (start["writer"], start["since"]) == ("operator-1", "2026-12-01T08:00:00Z")
    assert (other["name"], other["gone"]) == ("other", True)
    assert (chat["outcomes"], chat["missed"]) == ({"LIC-1": "pass"}, 2)


async def test_a_policy_that_went_unseen_is_deleted_in_the_record(world: World) -> None:
    await first_write(world)
    world.stated.clear()

    async with leading(world.recorder(), world):
        pass

    assert [one["state"] for one in world.bodies("policy")] == ["compiled", "enforced", "deleted"]
    assert len(world.verdicts()) == 2


async def test_a_full_disk_is_said_once_and_nothing_is_lost(world: World) -> None:
    world.disk.full_for = _LONG
    async with leading(world.recorder(), world) as recorder:
        recorder.heard.saw(HOUSE, "uid", 1, None)
        await eventually_async(lambda: recorder.recording.why, 30, "it is in trouble")
        assert recorder.recording.why == f"{world.file}: No space left on device"
        world.judge(recorder, model("chat"))
        world.disk.full_for = 0

    assert recorder.recording.why == ""
    assert world.verdicts() == [("chat", 1, "fail")]
    (gap,) = world.bodies("gap")
    assert (gap["lost"], gap["since"]) == (0, "2026-12-01T08:00:00Z")
    assert gap["why"].endswith("No space left on device")
    assert world.told[:2] == [("house", True), ("house", True)]
    assert world.again == []


async def test_trouble_is_a_number_of_who_leads(world: World) -> None:
    metrics, leads = OperatorMetrics(), True
    recorder = world.recorder()
    make_gauges(metrics, recorder, lambda: leads)
    world.disk.full_for = _LONG
    async with leading(recorder, world):
        world.judge(recorder, model("chat"))
        await eventually_async(lambda: recorder.recording.why, 30, "it is in trouble")
        assert "pointsman_operator_evidence_failing 1.0" in metrics.page().decode()
        leads = False
        assert "pointsman_operator_evidence_failing 0.0" in metrics.page().decode()
        assert "pointsman_operator_evidence_lost 0.0" in metrics.page().decode()
        world.disk.full_for = 0


async def test_what_is_too_much_to_keep_is_counted_and_looked_at_again(world: World) -> None:
    world.disk.full_for = _LONG
    async with leading(world.recorder(most_waiting=3), world) as recorder:
        recorder.heard.saw(HOUSE, "uid", 1, None)
        await eventually_async(lambda: recorder.recording.why, 30, "it is in trouble")
        world.judge(recorder, *(model(f"model-{number}") for number in range(10)))
        await asyncio.wait_for(recorder.heard.room(), 30)
        assert (len(recorder.heard), recorder.heard.lost) == (3, 8)
        world.disk.full_for = 0

    # Those that were lost while the write was under way that worked are told after it.
    assert sum(gap["lost"] for gap in world.bodies("gap")) == 8
    assert world.again == ["house"]
    assert len(world.verdicts()) == 2


async def test_what_is_lost_while_a_write_works_is_said_after_it(world: World) -> None:
    world.disk.full_for = 1
    world.disk.answers.clear()
    async with leading(world.recorder(most_waiting=3), world) as recorder:
        world.judge(recorder, model("chat"))
        await eventually_async(lambda: world.disk.asked == 2, 30, "the second try is under way")
        world.judge(recorder, *(model(f"model-{number}") for number in range(10)))
        world.disk.answers.set()

    assert [gap["lost"] for gap in world.bodies("gap")] == [0, 8]


async def test_what_an_evaluator_says_of_a_value_is_in_no_record(world: World) -> None:
    stumbling = compiled({"rules": [rule("INT-1", expression="int(object.spec.license) > 0")]})
    live = model("chat", license="sk-very-secret")
    found = verdicts([stumbling], PolicyKind.MODEL_DEPLOYMENT, live, {}, NOW)
    world.there["chat"] = live

    async with leading(world.recorder(), world) as recorder:
        key = ObjectKey("team", "chat")
        recorder.heard.judged(stumbling, Looked(PolicyKind.MODEL_DEPLOYMENT, key, live, {}, found))

    (said,) = world.bodies("verdict")
    assert (said["outcomes"], said["messages"]) == (
        {"INT-1": "error"},
        {"INT-1": "the rule could not be evaluated"},
    )


async def test_without_trouble_who_judges_waits_for_room(world: World) -> None:
    recorder = world.recorder(most_waiting=2)
    world.judge(recorder, model("one"), model("two"))
    waiting = asyncio.create_task(recorder.heard.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    running = asyncio.create_task(recorder.run(world.still_leads))

    await asyncio.wait_for(waiting, 30)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(world.verdicts()) == 2


async def test_another_writer_in_between_breaks_nothing(world: World) -> None:
    async with leading(world.recorder(), world) as recorder:
        world.judge(recorder, model("chat"))
        await settled(recorder)
        said = [(EntryKind.VERDICT, dict(next(world.bodies("verdict")), generation=2))]
        end = world.entries()[-1]
        append(str(world.file), lambda found: chained(_read(found, end.sequence, end.hash), NOW, said))
        world.judge(recorder, model("chat", 2), model("other"))

    assert world.verdicts() == [("chat", 1, "fail"), ("chat", 2, "fail"), ("other", 1, "fail")]
    assert len(list(world.bodies("start"))) == 1


def _read(found: Iterable[Entry], sequence: int, head: str) -> Verified:
    assert len(list(found)) == sequence
    return Verified(sequence, head)


async def test_an_incomplete_last_line_is_taken_away_and_said(world: World) -> None:
    await first_write(world)
    whole = world.file.read_bytes()
    world.file.write_bytes(whole[:-20])

    async with leading(world.recorder(), world) as recorder:
        world.judge(recorder, model("chat"), model("other", license="mit"))

    assert world.file.read_bytes().startswith(whole[: whole[:-20].rindex(b"\n") + 1])
    assert world.verdicts() == [("chat", 1, "fail"), ("other", 1, "pass")]
    (gap,) = world.bodies("gap")
    assert "an incomplete last line of" in gap["why"]


async def test_an_incomplete_last_line_is_said_by_who_writes_next(world: World) -> None:
    await first_write(world)
    world.file.write_bytes(world.file.read_bytes() + b'{"at":')
    world.leads = LeadershipLost("this replica does not lead")
    lost = world.recorder()
    world.judge(lost, model("chat", 2))
    with pytest.raises(LeadershipLost):
        await asyncio.wait_for(lost.run(world.still_leads), 30)
    world.leads = None

    async with leading(lost, world):
        world.judge(lost, model("chat", 2))

    assert [gap["why"] for gap in world.bodies("gap")] == [
        "an incomplete last line of 6 bytes was taken away"
    ]


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_an_end_that_was_cut_off_is_said_in_what_follows(world: World, is_restarted: bool) -> None:
    recorder = world.recorder()
    async with leading(recorder, world):
        world.judge(recorder, model("chat"), model("other"))
    head = recorder.recording.head
    world.shown.add(head)
    world.file.write_bytes(b"".join(world.file.read_bytes().splitlines(keepends=True)[:-1]))

    async with leading(world.recorder() if is_restarted else recorder, world) as after:
        world.judge(after, model("chat"), model("other"), model("new"))

    (gap,) = world.bodies("gap")
    assert gap["why"] == f"the record has no entry any more with the hash {head}"
    assert world.verdicts() == [("chat", 1, "fail"), ("other", 1, "fail"), ("new", 1, "fail")]


async def test_a_new_record_names_the_one_before_it(world: World) -> None:
    await first_write(world)
    head = world.entries()[-1].hash
    world.shown.add(head)
    world.file.unlink()

    await first_write(world)

    (start,) = world.bodies("start")
    assert start["former"] == [head]
    assert not list(world.bodies("gap"))


async def test_a_record_that_was_tampered_with_takes_nothing_more(world: World) -> None:
    await first_write(world)
    lines = world.file.read_bytes().splitlines(keepends=True)
    tampered = b"".join([*lines[:2], *lines[3:]])
    world.file.write_bytes(tampered)
    recorder = world.recorder()
    running = asyncio.create_task(recorder.run(world.still_leads))

    world.judge(recorder, model("new"))
    await eventually_async(lambda: recorder.recording.why, 30, "it is said")

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert recorder.recording.why.startswith(f"{world.file}:3: is entry 4 where entry 3 belongs")
    assert world.file.read_bytes() == tampered


async def test_who_leads_no_more_writes_nothing(world: World) -> None:
    world.leads = LeadershipLost("this replica does not lead")
    recorder = world.recorder()
    world.judge(recorder, model("chat"))

    with pytest.raises(LeadershipLost):
        await asyncio.wait_for(recorder.run(world.still_leads), 30)

    assert world.entries() == []


async def test_values_of_an_object_are_in_no_record(world: World) -> None:
    secret = "sk-very-secret"
    engine = {"name": "vllm", "args": [f"--api-key={secret}"], "env": [{"name": "A", "value": secret}]}

    async with leading(world.recorder(), world) as recorder:
        world.judge(recorder, model("chat", engine=engine))

    assert len(world.verdicts()) == 1
    assert secret not in world.file.read_text("utf-8")


async def test_an_object_that_goes_is_said_once(world: World) -> None:
    async with leading(world.recorder(), world) as recorder:
        world.judge(recorder, model("chat"))
        for _ in range(2):
            recorder.heard.judged(HOUSE, Looked(PolicyKind.MODEL_DEPLOYMENT, ObjectKey("team", "chat")))
            recorder.heard.judged(HOUSE, Looked(PolicyKind.MODEL_DEPLOYMENT, ObjectKey("team", "never")))

    assert world.verdicts() == [("chat", 1, "fail"), ("chat", None, None)]


async def test_a_disk_that_hangs_is_said_and_nothing_is_written_twice(world: World) -> None:
    world.disk.answers.clear()
    async with leading(world.recorder(patience=0.1), world) as recorder:
        world.judge(recorder, model("chat"))
        await eventually_async(lambda: recorder.recording.why, 30, "it is said")
        assert recorder.recording.why.endswith("has not answered for 0 s")
        world.disk.answers.set()

    assert world.verdicts() == [("chat", 1, "fail")]
    first, second, third, *later = [one.kind.value for one in world.entries()]
    assert (first, second, third) == ("start", "verdict", "gap")
    # To say so may take as long on a busy machine, which is said as well.
    assert set(later) <= {"gap"}


async def test_a_store_that_is_away_and_answers_that_are_lost_leave_a_whole_record(
    world: World, tmp_path: Path
) -> None:
    store = ObjectStore({"audit": {}}, lost_answers=1)
    async with store:
        bucket = RecordBucket("s3://audit/fleet", credentials(tmp_path, store))
        async with leading(world.recorder(place=bucket), world) as recorder:
            world.judge(recorder, model("chat"))
            await settled(recorder)
            store.buckets["moved"] = store.buckets.pop("audit")
            world.judge(recorder, model("chat", 2))
            await eventually_async(lambda: recorder.recording.why, 30, "it is in trouble")
            assert recorder.recording.why.startswith("s3://audit/fleet: there is no such bucket")
            store.buckets["audit"] = store.buckets.pop("moved")
        found = await asyncio.to_thread(lambda: list(entries_of(bucket.lines())))

    assert [one.kind.value for one in found] == ["start", "verdict", "verdict", "gap"]
    assert len(store.buckets["audit"]) == 2
