"""Each file of tests/corpus/broken is wrong in its own way; beside it stands what must be found.

A line of NAME.expect is `LINE [warning] FIELD: FRAGMENT`; FIELD is `-` where the text has none.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from pointsman.api.examination import examine
from pointsman.api.findings import Finding

CORPUS = Path(__file__).parents[2] / "corpus" / "broken"
FILES = sorted(CORPUS.rglob("*.yaml"))

_EXPECTED = re.compile(r"(?P<line>\d+) (?P<warning>warning )?(?P<path>\S.*?): (?P<fragment>.+)")


@dataclass(frozen=True)
class Expected:
    line: int
    path: str
    severity: str
    fragment: str

    def describes(self, finding: Finding) -> bool:
        same_place = (finding.line, finding.path or "-", finding.severity) == (
            self.line,
            self.path,
            self.severity,
        )
        return same_place and self.fragment in finding.text()


def expectations(file: Path) -> list[Expected]:
    expected = []
    for text in file.with_suffix(".expect").read_text().splitlines():
        parts = _EXPECTED.fullmatch(text)
        assert parts is not None, f"{file.name}: not an expectation: {text}"
        severity = "warning" if parts["warning"] else "error"
        expected.append(Expected(int(parts["line"]), parts["path"], severity, parts["fragment"]))
    return expected


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(FILES) >= 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CORPUS).with_suffix("")))
def test_every_mistake_is_found_at_its_line_and_field_and_nothing_else(file: Path) -> None:
    expected = expectations(file)
    findings = list(examine({str(file.relative_to(CORPUS)): file.read_text()}).findings)
    missed = [one for one in expected if not any(one.describes(finding) for finding in findings)]
    surplus = [finding.text() for finding in findings if not any(one.describes(finding) for one in expected)]
    assert (missed, surplus) == ([], [])
    assert Counter(one.line for one in expected) == Counter(finding.line for finding in findings)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CORPUS).with_suffix("")))
def test_a_finding_is_one_line_that_says_what_to_do(file: Path) -> None:
    for finding in examine({file.name: file.read_text()}).findings:
        text = finding.text()
        assert "\n" not in text
        assert text.startswith(f"{file.name}:{finding.line}: ")
        assert finding.what
        assert finding.todo
