"""What of some news a record does not say yet: each change once, in words of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.api.meta import ObjectKey
from pointsman.errors import PointsmanError
from pointsman.policy.evidence.bodies import Body, rules_digest
from pointsman.policy.evidence.known import Held, Known, News, PodsJudged, PolicyGone, PolicySeen
from pointsman.policy.evidence.record import EntryKind
from tests.support.policies import compiled, rule

Json = dict[str, Any]

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LATER = datetime(2027, 3, 1, tzinfo=UTC)


def exception(id_: str = "EXC-1", **stated: Any) -> Json:
    return {
        "id": id_,
        "rules": ["LIC-1"],
        "match": {"names": ["chat"]},
        "until": "2027-01-31T00:00:00Z",
        "reason": "it is being asked for",
        "approvedBy": "legal",
        **stated,
    }


def seen(
    *exceptions: Json, at: datetime = NOW, held: Held | None = None, generation: int = 1, **stated: Any
) -> PolicySeen:
    policy = compiled({"rules": [rule("LIC-1", **stated)], "exceptions": list(exceptions)})
    return PolicySeen(at, "uid", generation, policy, rules_digest(policy), held)


def told(known: Known, news: News) -> Iterator[tuple[str, ...]]:
    for kind, body in known.unrecorded(news):
        known.take(kind, body)
        yield (kind.value, *([body["id"]] if "id" in body else []), body["state"])


COMPILED = ("policy", "compiled")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([seen(), seen(generation=2)], [[COMPILED], []]),
        ([seen(), seen(message="other words")], [[COMPILED], [COMPILED]]),
        (
            [seen(held=Held("a")), seen(held=Held("a")), seen(held=Held("b")), seen()],
            [[COMPILED, ("policy", "enforced")], [], [("policy", "enforced")], []],
        ),
        (
            [seen(held=Held("", "NameTaken: x")), seen(held=Held("a"))],
            [[COMPILED, ("policy", "not enforced")], [("policy", "enforced")]],
        ),
        (
            [seen(exception()), seen(exception(), generation=2), seen(exception(reason="new"))],
            [[COMPILED, ("exception", "EXC-1", "added")], [], [("exception", "EXC-1", "changed")]],
        ),
        (
            [seen(exception()), seen(exception(), at=LATER), seen(exception(), at=LATER), seen(at=LATER)],
            [[COMPILED, ("exception", "EXC-1", "added")], [("exception", "EXC-1", "expired")], [], []],
        ),
        (
            [seen(exception()), seen(), seen(), seen(exception())],
            [
                [COMPILED, ("exception", "EXC-1", "added")],
                [("exception", "EXC-1", "ended")],
                [],
                [("exception", "EXC-1", "added")],
            ],
        ),
        (
            [seen(exception(), at=LATER), seen(exception(until="2027-06-30T00:00:00Z"), at=LATER)],
            [
                [COMPILED, ("exception", "EXC-1", "added"), ("exception", "EXC-1", "expired")],
                [("exception", "EXC-1", "added")],
            ],
        ),
        (
            [seen(exception()), PolicyGone(NOW, "house"), PolicyGone(NOW, "house"), seen()],
            [
                [COMPILED, ("exception", "EXC-1", "added")],
                [("exception", "EXC-1", "ended"), ("policy", "deleted")],
                [],
                [COMPILED],
            ],
        ),
    ],
    ids=[
        "a generation alone is no news",
        "other words are other rules",
        "how it is held is said when that changes",
        "what is not held says why",
        "an exception that is written anew has changed",
        "an exception expires once, and is no news when it is taken out",
        "an exception that is taken out has ended",
        "one that was extended is added again",
        "a policy that goes ends its exceptions",
    ],
)
def test_what_is_new_is_said_once(steps: list[News], expected: list[list[tuple[str, ...]]]) -> None:
    known = Known()
    assert [list(told(known, news)) for news in steps] == expected


def test_a_checkpoint_says_all_that_was_known() -> None:
    known, other = Known(), Known()
    verdict = {"policy": "house", "namespace": "team", "uid": "u", "generation": 3, "outcomes": {"A": "pass"}}
    names = [("ModelDeployment", "chat"), ("Pod", "chat@0123456789ab"), ("Pod", "chat/debug")]
    other_policy = compiled({"rules": [rule("LIC-2")]}, name="other")
    for first in (seen(exception(), held=Held("a")), PolicySeen(NOW, "u", 1, other_policy, "digest", None)):
        list(told(known, first))
    for kind, name in names:
        known.take(EntryKind.VERDICT, {**verdict, "kind": kind, "name": name})

    for body in known.checkpoint():
        other.take(*body)

    assert other.checkpoint() == known.checkpoint()
    assert len(other) == 5
    gone = PodsJudged(NOW, "house", ObjectKey("team", "chat"), {}, may_return=False)
    for news in (seen(exception(), held=Held("a")), seen(held=Held("b")), gone):
        assert _unrecorded(other, news) == _unrecorded(known, news)


def _unrecorded(known: Known, news: News) -> list[Body]:
    return list(known.unrecorded(news))


def test_a_checkpoint_that_cannot_be_read_is_one_line() -> None:
    with pytest.raises(PointsmanError, match="is not as this version writes them"):
        Known().take(EntryKind.CHECKPOINT, {"part": 1, "policies": {"house": {}}})
