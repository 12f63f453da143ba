"""Facts that the API has no field for: labels and annotations that rules read."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

import yaml

from pointsman.api.record import Record
from pointsman.policy.source import OneLine, RuleSource

FILE = "declarations.yaml"

# Labels of pods, which the operator writes itself, are none.
_WORD = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_NAME = re.compile(
    rf"compliance\.pointsman\.dev/{_WORD}"
    rf"|pointsman\.dev/(?!(?:v1alpha1|deployment|role)(?![a-z0-9-])){_WORD}"
)


class Written(StrEnum):
    LABEL = "label"
    ANNOTATION = "annotation"


class Declaration(Record):
    """An entry of `policies/declarations.yaml`."""

    written: Written
    of: tuple[OneLine, ...]
    """The kinds of objects that state it."""
    says: OneLine
    values: OneLine


def declarations(text: str) -> dict[str, Declaration]:
    """By name. ValidationError for an entry that is not one."""
    return {name: Declaration.model_validate(one) for name, one in (yaml.safe_load(text) or {}).items()}


def read_by(rule: RuleSource) -> frozenset[str]:
    """The names that the rule's expressions hold; a rule without any says in words what it looks at."""
    texts = tuple(expressions(rule)) or (rule.todo,)
    return frozenset(name for text in texts for name in _NAME.findall(text))


def expressions(rule: RuleSource) -> Iterator[str]:
    """Every expression of a rule, in no order."""
    for check in rule.checks.values():
        yield from check.variables.values()
        yield from (text for text in (check.when, check.holds, check.found, check.scale) if text)
    for mutation in rule.mutations.values():
        yield mutation.when
        yield mutation.patch


def readers(declared: Mapping[str, Declaration], rules: Mapping[str, RuleSource]) -> dict[str, list[str]]:
    """For each declaration the ids of the rules that read it."""
    read = {id_: read_by(rule) for id_, rule in rules.items()}
    return {name: sorted(id_ for id_, names in read.items() if name in names) for name in declared}
