"""Texts in, objects and findings out: reading, support and checks in one call, for whoever has the files."""

from collections.abc import Mapping
from dataclasses import dataclass

from pointsman.api.checks import Mode, Unread, check_objects
from pointsman.api.findings import Finding, in_order
from pointsman.api.located import Located, Stated
from pointsman.api.meta import ObjectKey
from pointsman.api.parsing import parse_documents


@dataclass(frozen=True)
class Examination:
    """What a set of files says, and everything that is wrong with it."""

    objects: tuple[Located[Stated], ...]
    """Every object that could be read, also those with findings against them."""
    findings: tuple[Finding, ...]

    @property
    def has_errors(self) -> bool:
        return any(finding.is_error for finding in self.findings)


def examine(texts: Mapping[str, str], mode: Mode = "any") -> Examination:
    """Reads and checks files together: file name -> its text. Never raises for any text."""
    objects: list[Located[Stated]] = []
    findings: list[Finding] = []
    for file_name, text in texts.items():
        found, wrong = parse_documents(file_name, text)
        objects.extend(found)
        findings.extend(wrong)
    broken = {(f.kind, ObjectKey(f.namespace, f.name)) for f in findings if f.kind and f.name and f.is_error}
    unread = Unread(broken, anything=any(f.is_error and not (f.kind and f.name) for f in findings))
    return Examination(
        tuple(objects), tuple(in_order([*findings, *check_objects(objects, mode, unread=unread)]))
    )
