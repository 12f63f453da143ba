"""What reading and checking find: one line for a person, one object for a program."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """What is wrong, exactly where, and what to do; never contains a secret."""

    severity: Severity
    path: str
    """The field as YAML people write it: spec.rules[0].targets[1]."""
    what: str
    todo: str
    rule_id: str = ""
    file: str = ""
    line: int = 0
    kind: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    @property
    def subject(self) -> str:
        """The object: `ModelRoute chat/chat`; empty where the text does not say."""
        name = f"{self.namespace}/{self.name}" if self.namespace and self.name else self.name
        return " ".join(part for part in (self.kind, name) if part)

    def text(self) -> str:
        """`file:line: Kind namespace/name: path: what; todo [RULE]`, with what is not known left out."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        parts = [place, "warning" if self.severity == "warning" else "", self.subject, self.path]
        said = f"{self.what}; {self.todo}" if self.todo else self.what
        rule = f" [{self.rule_id}]" if self.rule_id else ""
        return " ".join(f"{': '.join(part for part in (*parts, said) if part)}{rule}".split())

    def to_document(self) -> dict[str, Any]:
        """For `-o json`; the keys are stable."""
        stated = asdict(self)
        keys = ("severity", "file", "line", "kind", "namespace", "name", "path", "what", "todo")
        return {**{key: stated[key] for key in keys}, "ruleId": self.rule_id}


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """By file and line, each finding once."""
    return sorted(
        dict.fromkeys(findings), key=lambda f: (f.file, f.line, f.kind, f.namespace, f.name, f.path, f.what)
    )
