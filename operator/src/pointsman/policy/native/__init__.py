"""Native admission policies: what the API server evaluates by itself."""

from pointsman.policy.native.mutating import mutating
from pointsman.policy.native.naming import POLICY_LABEL, RULE_ANNOTATION
from pointsman.policy.native.scope import SYSTEM_NAMESPACES
from pointsman.policy.native.static import as_static
from pointsman.policy.native.validating import denial, validating

__all__ = [
    "POLICY_LABEL",
    "RULE_ANNOTATION",
    "SYSTEM_NAMESPACES",
    "as_static",
    "denial",
    "mutating",
    "validating",
]
