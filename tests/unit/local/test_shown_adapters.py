"""Adapters are shown with the replicas that have them, and why others have not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pointsman.local.display.explanation import explain_deployment
from pointsman.local.display.explanation_text import in_words
from pointsman.local.display.listing import select, tables
from tests.support.builders import deployment

ADAPTERS = [
    {"name": "sql", "revision": "0123456789abcdef0123456789abcdef01234567", "loaded": 2},
    {"name": "law", "loaded": 1, "reason": "chat-1 has no room for it"},
]


def deployed(**status: Any) -> Any:
    found = deployment("chat")
    return found.model_copy(update={"status": type(found.status).model_validate(status)})


def test_the_explanation_says_who_has_them() -> None:
    found = deployed(readyReplicas=2, adapters=ADAPTERS)
    lines = in_words(explain_deployment(found, [], []), live=True).splitlines()
    at = lines.index("Adapters")
    assert lines[at + 1 : at + 3] == [
        "  sql at 0123456789abcdef0123456789abcdef01234567: loaded by 2 of 2 ready replicas",
        "  law: loaded by 1 of 2 ready replicas: chat-1 has no room for it",
    ]


def test_where_there_are_none_nothing_is_said() -> None:
    assert "Adapters" not in in_words(explain_deployment(deployed(), [], []), live=True)


class _Objects:
    def __init__(self, *found: Any) -> None:
        self._found = [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in found]

    def objects(self, kind: str) -> list[dict[str, Any]]:
        return self._found if kind == "ModelDeployment" else []


def cells(*found: Any, wide: bool) -> list[list[str]]:
    [lines] = tables(_Objects(*found), select("pmd", ""), wide=wide, live=True, now=datetime.now(UTC))
    return [line.split() for line in lines]


def test_the_wide_table_has_a_column_for_them() -> None:
    other = deployment("plain")
    header, chat, plain = cells(deployed(readyReplicas=2, adapters=ADAPTERS), other, wide=True)
    assert (header[-1], chat[-1], plain[-1]) == ("ADAPTERS", "sql(2/2),law(1/2)", "-")
    assert "ADAPTERS" not in cells(deployed(readyReplicas=2, adapters=ADAPTERS), wide=False)[0]
    assert "ADAPTERS" not in cells(other, wide=True)[0]
