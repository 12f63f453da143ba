"""A record that grows: it goes on in another file, and who begins to write reads the last of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.cli.main import main
from pointsman.policy.evidence.known import Held
from tests.support.polling import eventually_async
from tests.unit.controller.recording.scene import HOUSE, World, leading, model, settled

_SEGMENT = 4


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def grown(world: World) -> None:
    """One write after the other, over several segments."""
    async with leading(world.recorder(segment=_SEGMENT), world) as recorder:
        recorder.heard.saw(HOUSE, "uid", 1, Held("digest"))
        for number in range(10):
            world.judge(recorder, model("chat", number), model("other", number, license="mit"))
            await settled(recorder)


def files(world: World) -> list[Path]:
    return sorted(world.file.parent.iterdir())


async def test_a_record_goes_on_in_another_file_and_verifies_whole(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await grown(world)

    entries = world.entries()
    begins = [one.sequence for one in entries if one.body.get("part") == 1]
    assert len(begins) > 2
    assert [one.name for one in files(world)] == [
        "record.jsonl",
        *(f"record.jsonl.{begin:012}" for begin in begins),
    ]
    assert len(world.verdicts()) == 20
    assert main(["policy", "evidence", "verify", str(world.file), "--head", entries[2].hash]) == 0
    assert f"{len(entries)} entries, chain verified" in capsys.readouterr().out


@pytest.mark.parametrize("removed", [0, 1, -1])
async def test_a_file_that_was_removed_or_changed_is_found(
    removed: int, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await grown(world)
    head, text = world.entries()[-1].hash, files(world)[2].read_bytes()
    command = ["policy", "evidence", "verify", str(world.file), "--head", head]

    files(world)[2].write_bytes(text.replace(b'"generation":', b'"Generation":', 1))
    assert main(command) == 1
    assert capsys.readouterr().err.startswith(f"{files(world)[2]}:")

    files(world)[2].write_bytes(text)
    assert main(command) == 0
    files(world)[removed].unlink()
    assert main(command) == 1


async def test_who_begins_reads_the_last_segment_and_repeats_nothing(world: World) -> None:
    await grown(world)
    before = {file: file.read_bytes() for file in files(world)}
    world.shown.add(world.entries()[-1].hash)
    world.disk.read_entries = 0

    async with leading(world.recorder("operator-1", segment=_SEGMENT), world) as recorder:
        recorder.heard.saw(HOUSE, "uid", 1, Held("digest"))
        world.judge(recorder, model("chat", 9), model("other", 9, license="mit"))

    assert {file: file.read_bytes() for file in files(world)} == before
    assert world.disk.read_entries < 2 * _SEGMENT


async def test_a_hash_of_long_ago_is_looked_for_in_all_of_it(world: World) -> None:
    await grown(world)
    world.shown.update(entry.hash for entry in world.entries()[1:3])
    async with leading(world.recorder(segment=_SEGMENT), world) as recorder:
        world.judge(recorder, model("chat", 10))
    assert not list(world.bodies("gap"))

    world.shown.add("f" * 64)
    async with leading(world.recorder(segment=_SEGMENT), world) as recorder:
        world.judge(recorder, model("chat", 11))
    (gap,) = world.bodies("gap")
    assert gap["why"] == f"the record has no entry any more with the hash {'f' * 64}"


async def test_statuses_follow_into_the_next_segment(world: World) -> None:
    async with leading(world.recorder(segment=_SEGMENT), world) as recorder:
        world.judge(recorder, *(model(f"model-{number}") for number in range(_SEGMENT)))
        await settled(recorder)
        await eventually_async(lambda: world.told == [("house", False)] * 2, 30, "it is told of both writes")

    assert recorder.recording.head == world.entries()[-1].hash
    assert world.entries()[-1].kind == "checkpoint"


async def test_an_incomplete_last_line_of_a_later_file_is_taken_away_and_said(world: World) -> None:
    await grown(world)
    last = files(world)[-1]
    last.write_bytes(last.read_bytes() + b'{"sequence":')
    world.shown.add("f" * 64)

    async with leading(world.recorder(segment=_SEGMENT), world) as recorder:
        world.judge(recorder, model("chat", 10))

    said = [gap["why"] for gap in world.bodies("gap")]
    assert "an incomplete last line of 12 bytes was taken away" in said


async def test_a_checkpoint_that_finds_no_room_is_written_later(world: World) -> None:
    async with leading(world.recorder(segment=_SEGMENT), world) as recorder:
        world.judge(recorder, model("one"), model("two"))
        await settled(recorder)
        tried = world.disk.asked
        world.judge(recorder, model("three"))
        world.disk.full_for_checkpoints = 1
        await settled(recorder)

    assert world.disk.asked > tried
    assert [one[0] for one in world.verdicts()] == ["one", "two", "three"]
    assert [one.kind.value for one in world.entries()][-3:] == ["gap", "checkpoint", "checkpoint"]
