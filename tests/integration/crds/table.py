"""The tables of tests/corpus/verdicts: a small valid object, what is changed in it, what is to be said of it.

A line is `BASE {"path": value, …} -> VERDICT`; null takes a field away, and `{x*64}` within a text is
sixty-four of that letter. The verdict is one of

- `taken`: by the API server and by `pointsman validate`;
- `refused FIELD: WORDS`: both point there (`pointsman validate` there or at what it holds), with these words;
- `taken, but validate FIELD: WORDS`: the API server takes it. `pointsman validate` knows what this version
  cannot do yet, what other objects say, and which hosts are nobody's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.api_samples import CORPUS

Json = Any

TABLES = sorted((CORPUS / "verdicts").glob("*.txt"))

_BASES = """
own:
  apiVersion: pointsman.dev/v1alpha1
  kind: ModelDeployment
  metadata: {name: subject}
  spec:
    model: {source: "hf://Qwen/Qwen3-8B", revision: 9216db5781bf21249d130ec9da846c4624c16137}
    engine: {name: vllm}
hosted:
  apiVersion: pointsman.dev/v1alpha1
  kind: ModelDeployment
  metadata: {name: subject}
  spec:
    hosted: {provider: openai, baseURL: "https://api.openai.com/v1", model: gpt-5-mini}
route:
  apiVersion: pointsman.dev/v1alpha1
  kind: ModelRoute
  metadata: {name: subject}
  spec:
    models: [chat]
    rules: [{targets: [{deployment: small}]}]
    authentication: {anonymous: true}
policy:
  apiVersion: pointsman.dev/v1alpha1
  kind: GuardrailPolicy
  metadata: {name: subject}
  spec:
    packs: [{name: baseline-security}]
"""

CONTEXT = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelDeployment
metadata: {name: small}
spec: {model: {source: "hf://Qwen/Qwen3-8B"}, engine: {name: vllm}}
---
apiVersion: pointsman.dev/v1alpha1
kind: ModelDeployment
metadata: {name: large}
spec: {model: {source: "hf://Qwen/Qwen3-32B"}, engine: {name: vllm}}
---
apiVersion: pointsman.dev/v1alpha1
kind: ModelDeployment
metadata: {name: tuned}
spec:
  model:
    source: hf://Qwen/Qwen3-32B
    adapters: [{name: de, source: "hf://a/de"}, {name: fr, source: "hf://a/fr"}]
  engine: {name: vllm}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, labels: {clients: chat}, annotations: {pointsman.dev/allowed-hosts: api.openai.com}}
stringData: {token: not-a-real-one}
"""
"""What stands beside each object, so that what it names is there."""


_LINE = re.compile(r"(?P<base>\w+) (?P<changes>\{.*\}) -> (?P<verdict>.+)")
_VERDICT = re.compile(
    r"taken|(?P<refused>refused|taken, but validate) (?P<field>[^: ]+)(: (?P<words>.+))?", re.DOTALL
)
_MANY = re.compile(r"\{(.)\*([0-9]+)\}")


@dataclass(frozen=True)
class Case:
    """`field` and `words` are empty where everybody takes the object."""

    line: str
    document: Json
    server_refuses: bool
    validate_refuses: bool
    field: str
    words: str

    def __str__(self) -> str:
        return self.line[:150]


def cases() -> Iterator[Case]:
    """All lines of all tables."""
    for table in TABLES:
        for line in table.read_text().splitlines():
            if line and not line.startswith("#"):
                yield _case(line)


def _case(line: str) -> Case:
    parts = _LINE.fullmatch(line)
    verdict = _VERDICT.fullmatch(parts["verdict"]) if parts else None
    if parts is None or verdict is None:
        raise ValueError(f"not a case: {line}")
    document = yaml.safe_load(_BASES)[parts["base"]]
    changes: Mapping[str, Any] = json.loads(parts["changes"])
    for path, value in changes.items():
        _set(document, path, _spelled_out(value))
    return Case(
        line=line,
        document=document,
        server_refuses=verdict["refused"] == "refused",
        validate_refuses=verdict["refused"] is not None,
        field=verdict["field"] or "",
        words=verdict["words"] or "",
    )


def _set(document: Json, path: str, value: Any) -> None:
    *above, last = (int(step) if step.isdecimal() else step for step in re.findall(r"[^.\[\]]+", path))
    for step in above:
        document = document.setdefault(step, {}) if isinstance(document, dict) else document[step]
    if value is None:
        del document[last]
    else:
        document[last] = value


def _spelled_out(value: Json) -> Json:
    if isinstance(value, str):
        return _MANY.sub(lambda many: many[1] * int(many[2]), value)
    if isinstance(value, dict):
        return {_spelled_out(name): _spelled_out(member) for name, member in value.items()}
    return [_spelled_out(item) for item in value] if isinstance(value, list) else value
