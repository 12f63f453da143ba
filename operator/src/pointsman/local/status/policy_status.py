"""The status of guardrail policies in local mode, which evaluates none yet: said, so that nobody relies on
them.
"""

from typing import Any

from pointsman.api import GuardrailPolicy, GuardrailPolicyStatus
from pointsman.api.verdicts import UNKNOWN, Verdict, conditions


def policy_status(policy: GuardrailPolicy, former: GuardrailPolicyStatus, now: str) -> dict[str, Any]:
    """Ready is Unknown: nothing here enforces the policy."""
    verdict = Verdict(
        "Ready", UNKNOWN, "NotEvaluated", "guardrail policies are not evaluated in local mode yet"
    )
    generation = policy.metadata.generation
    return {
        "observedGeneration": generation,
        "conditions": [
            one.to_document() for one in conditions([verdict], former.conditions, generation, now)
        ],
    }
