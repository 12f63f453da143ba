"""What a running API server says of an object, and what `pointsman validate` says of it, side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pointsman.api.examination import examine
from pointsman.api.findings import Finding
from pointsman.api.parsing import parse_documents
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError

Json = Any


@dataclass(frozen=True)
class Refusal:
    """No, and why: field -> what is said of it."""

    said: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.said)

    def of(self, at: str) -> str:
        """Everything that is said of one field, "" for nothing."""
        return "; ".join(self.said.get(at, ()))

    def at_or_below(self, at: str) -> str:
        """Everything that is said of a field and of what it holds."""
        texts = [texts for field, texts in self.said.items() if field == at or field[len(at) :][:1] in ".["]
        return "; ".join(text for several in texts for text in several)


def server_refusal(admin: Admin, document: Json) -> Refusal:
    """Of a creation as kubectl asks for it (unknown fields are errors), in the namespace `default`, tried and
    not stored.
    """
    metadata = {name: text for name, text in document["metadata"].items() if name != "namespace"}
    return _refusal(admin, "POST", _collection(document), {**document, "metadata": metadata})


def changed_refusal(admin: Admin, held: Json, document: Json) -> Refusal:
    """Of a change of an object that the API server holds into this one; tried and not stored."""
    metadata = {**document["metadata"], "resourceVersion": held["metadata"]["resourceVersion"]}
    path = f"{_collection(document)}/{held['metadata']['name']}"
    return _refusal(admin, "PUT", path, {**document, "metadata": metadata})


def _refusal(admin: Admin, method: str, path: str, document: Json) -> Refusal:
    parameters = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        admin.request(method, path, document, parameters=parameters)
    except ApiError as error:
        return refusal_of(error)
    return Refusal()


def refusal_of(error: ApiError) -> Refusal:
    """The causes of a refusal, or the whole of it where it has none."""
    causes = error.details.get("causes", ())
    if not causes:
        # Fields that the schema does not have: 'strict decoding error: unknown field "spec.x"'.
        unknown = error.message.split('unknown field "')[1:]
        return Refusal({one.split('"')[0]: (error.message,) for one in unknown} or {"": (error.message,)})
    said: dict[str, tuple[str, ...]] = {}
    for cause in causes:
        at = cause.get("field", "").removeprefix("<nil>")
        said[at] = (*said.get(at, ()), cause["message"])
    return Refusal(said)


def our_refusal(document: Json) -> Refusal:
    """What is wrong with the object by itself."""
    _, findings = parse_documents("file.yaml", as_text(document))
    return _of(findings)


def validate_refusal(document: Json, context: str) -> Refusal:
    """What `pointsman validate` says of the object beside those of `context`."""
    findings = examine({"file.yaml": as_text(document), "context.yaml": context}).findings
    name = document.get("metadata", {}).get("name")
    return _of([one for one in findings if one.name == name])


def as_text(document: Json) -> str:
    """JSON, which is YAML whose quotes leave no doubt."""
    return json.dumps(document, ensure_ascii=False)


def _of(findings: list[Finding]) -> Refusal:
    said: dict[str, tuple[str, ...]] = {}
    for one in findings:
        if one.is_error:
            text = f"{one.what}; {one.todo}" if one.todo else one.what
            # The API server writes the keys of maps as if they were fields.
            at = re.sub(r'\["(.+?)"\]', r".\1", one.path)
            said[at] = (*said.get(at, ()), text)
    return Refusal(said)


def _collection(document: Json) -> str:
    group = f"/apis/{document['apiVersion']}"
    if document["kind"] == "GuardrailPolicy":
        return f"{group}/guardrailpolicies"
    return f"{group}/namespaces/default/{document['kind'].lower()}s"
