"""Names and labels of native objects."""

import hashlib
from typing import Any

from pointsman.api.meta import GROUP

POLICY_LABEL = f"{GROUP}/guardrail-policy"

_LONGEST_NAME = 253
_LONGEST_LABEL = 63


def native_metadata(policy: str, suffix: str) -> dict[str, Any]:
    """Metadata of a native object of a GuardrailPolicy; `suffix` tells its objects apart."""
    return {
        "name": _name(policy, suffix),
        "labels": {"app.kubernetes.io/managed-by": "pointsman", POLICY_LABEL: _label(policy)},
    }


def _name(policy: str, suffix: str) -> str:
    name = f"pointsman-{policy}-{suffix}"
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(policy.encode()).hexdigest()[:8]
    return f"pointsman-{policy[: _LONGEST_NAME - len(suffix) - 20]}-{digest}-{suffix}"


def _label(policy: str) -> str:
    return policy if len(policy) <= _LONGEST_LABEL else hashlib.sha256(policy.encode()).hexdigest()[:32]
