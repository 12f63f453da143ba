"""What rules read from labels and annotations is listed, and nothing else is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman.policy.declarations import FILE, declarations, expressions, read_by, readers
from pointsman.policy.packs import shipped_library
from pointsman.policy.source import RuleSource

DECLARED = declarations((Path(__file__).parents[3] / "policies" / FILE).read_text())
RULES = {id_: rule for pack in shipped_library().packs.values() for id_, rule in pack.rules.items()}


def rule(**more: object) -> RuleSource:
    stated = {
        "id": "EX-01",
        "title": "Example",
        "severity": "low",
        "message": "it is wrong",
        "todo": "set compliance.pointsman.dev/todo",
        "why": "Because.",
        "controls": {},
        "source": [],
    }
    return RuleSource.model_validate({**stated, **more})


def checked(**check: object) -> RuleSource:
    example = [{"why": "it is so", "object": {"kind": "ModelRoute"}}]
    return rule(checks={"ModelRoute": {"holds": "true", **check}}, passes=example, fails=example)


def test_every_declaration_that_a_rule_reads_is_listed() -> None:
    unknown = {name: id_ for id_, one in RULES.items() for name in read_by(one) if name not in DECLARED}
    assert unknown == {}, f"describe them in policies/{FILE}"


def test_every_listed_declaration_is_read_by_a_rule() -> None:
    unread = [name for name, ids in readers(DECLARED, RULES).items() if not ids]
    assert unread == [], f"remove them from policies/{FILE}"


def kinds_read(one: RuleSource, name: str) -> Iterator[str]:
    for kind, check in one.checks.items():
        texts = (*check.variables.values(), check.when or "", check.holds)
        for text in texts:
            if name in text and name.startswith("compliance."):
                yield kind.value


def test_annotations_are_listed_with_the_kinds_whose_rules_read_them() -> None:
    wrong = {
        f"{id_} reads {name} of {kind}"
        for id_, one in RULES.items()
        for name in read_by(one) & DECLARED.keys()
        for kind in kinds_read(one, name)
        if kind not in DECLARED[name].of
    }
    assert wrong == set()


@pytest.mark.parametrize("part", ["when", "found", "holds"])
def test_a_name_is_found_in_each_part_of_a_check(part: str) -> None:
    text = "object.metadata.?annotations[?'compliance.pointsman.dev/risk-class'].orValue('') == 'x'"
    assert read_by(checked(**{part: text})) == {"compliance.pointsman.dev/risk-class"}


def test_a_name_is_found_in_a_variable() -> None:
    assert read_by(checked(variables={"a": "'pointsman.dev/data-class'"})) == {"pointsman.dev/data-class"}


def test_a_name_is_found_in_a_mutation() -> None:
    one = checked()
    patch = {"when": "true", "patch": "['pointsman.dev/team']"}
    mutating = rule(checks=one.checks, passes=one.passes, fails=one.fails, mutations={"ModelRoute": patch})
    assert read_by(mutating) == {"pointsman.dev/team"}


def test_what_a_rule_without_expressions_looks_at_is_what_it_asks_for() -> None:
    assert read_by(rule(background="age", unseen="nobody knows")) == {"compliance.pointsman.dev/todo"}
    assert list(expressions(rule(background="age", unseen="nobody knows"))) == []


def test_words_of_a_checked_rule_are_no_declaration() -> None:
    assert read_by(checked()) == frozenset()


def test_the_version_of_the_api_and_the_label_of_pods_are_no_declarations() -> None:
    assert read_by(checked(holds="'pointsman.dev/v1alpha1' != 'pointsman.dev/deployment'")) == frozenset()


def test_a_name_that_begins_like_another_is_itself() -> None:
    found = read_by(
        checked(holds="'pointsman.dev/deployment-tier' != 'compliance.pointsman.dev/ai-bom-digest'")
    )
    assert found == {"pointsman.dev/deployment-tier", "compliance.pointsman.dev/ai-bom-digest"}
