"""What the API server was asked, by whom: its audit log, for tests that count requests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITES = frozenset(("create", "update", "patch", "delete", "deletecollection"))


def policy(users: Sequence[str]) -> dict[str, Any]:
    """One line a request of these users, of all where none is named, written before its answer is complete; a
    watch is written when it ends too.
    """
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "nonResourceURLs": ["*"]},
            {"level": "Metadata", **({"users": list(users)} if users else {})},
        ],
    }


@dataclass(frozen=True)
class AuditedRequest:
    """One request to the API server that was answered."""

    user: str
    verb: str
    resource: str
    """Plural, with the subresource: `pods/status`."""
    namespace: str
    name: str
    code: int
    user_agent: str

    @property
    def is_write(self) -> bool:
        return self.verb in WRITES


class AuditLog:
    """The audit log of one API server. It is read anew at each question; nothing is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mark(self) -> int:
        """A place in the log: `requests(since=mark)` are those after it."""
        return self.path.stat().st_size if self.path.exists() else 0

    def requests(self, since: int = 0, *, user: str = "", writes_only: bool = False) -> list[AuditedRequest]:
        """The requests in the order of their answers; of one user where named."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as log:
            log.seek(since)
            text = log.read()
        # A line that is being written now is not whole; it is seen at the next look.
        records = (json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines())
        found = (_request(record) for record in records if record["stage"] == "ResponseComplete")
        return [
            request
            for request in found
            if (not user or request.user == user) and (request.is_write or not writes_only)
        ]


def tally(requests: Iterable[AuditedRequest]) -> Counter[tuple[str, str]]:
    """How many requests, by user and verb."""
    return Counter((request.user, request.verb) for request in requests)


def _request(record: dict[str, Any]) -> AuditedRequest:
    reference = record.get("objectRef", {})
    parts = (reference.get("resource", ""), reference.get("subresource", ""))
    return AuditedRequest(
        user=record["user"]["username"],
        verb=record["verb"],
        resource="/".join(part for part in parts if part),
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
        code=int(record.get("responseStatus", {}).get("code", 0)),
        user_agent=record.get("userAgent", ""),
    )
