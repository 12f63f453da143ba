"""Names and labels of native objects. A GuardrailPolicy's name is no longer than a label may be."""

from typing import Any

from pointsman.api.meta import GROUP

POLICY_LABEL = f"{GROUP}/guardrail-policy"
RULE_ANNOTATION = f"{GROUP}/rule"
"""On the defaults of one rule alone, which say it nowhere else."""


def native_metadata(policy: str, suffix: str) -> dict[str, Any]:
    """Metadata of a native object of a GuardrailPolicy; `suffix` tells its objects apart."""
    return {
        "name": f"pointsman-{policy}-{suffix}",
        "labels": {"app.kubernetes.io/managed-by": "pointsman", POLICY_LABEL: policy},
    }
