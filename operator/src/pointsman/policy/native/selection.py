"""Selectors, as CEL and as what admission policies have for them."""

from collections.abc import Sequence
from typing import Any

from pointsman.api.meta import NAMESPACE_NAME_LABEL, LabelSelector
from pointsman.policy.parameters import literal

API = "admissionregistration.k8s.io/v1"
"""Of native policies and their bindings."""

_LABELS = "namespaceObject.metadata.labels"


def selector_as_cel(selector: LabelSelector) -> str:
    """Whether the namespace of the object has labels that match."""
    terms = [_equal(key, value) for key, value in sorted(selector.match_labels.items())]
    for term in selector.match_expressions:
        has = f"(has({_LABELS}) && {literal(term.key)} in {_LABELS})"
        is_one = f"({has} && {_LABELS}[{literal(term.key)}] in {literal(tuple(term.values))})"
        terms.append(
            {"In": is_one, "NotIn": f"!{is_one}", "Exists": has, "DoesNotExist": f"!{has}"}[
                str(term.operator)
            ]
        )
    return " && ".join(terms) or "true"


def _equal(key: str, value: str) -> str:
    return f"(has({_LABELS}) && {literal(key)} in {_LABELS} && {_LABELS}[{literal(key)}] == {literal(value)})"


def namespace_selector(selector: LabelSelector | None, left_out: Sequence[str]) -> dict[str, Any]:
    """The policy's own selector, without the namespaces that must start whatever the rules say."""
    stated = selector.to_document() if selector is not None else {}
    apart = {"key": NAMESPACE_NAME_LABEL, "operator": "NotIn", "values": sorted(left_out)}
    return {**stated, "matchExpressions": [*stated.get("matchExpressions", ()), apart]}
