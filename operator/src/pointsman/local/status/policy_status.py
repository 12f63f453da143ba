"""The status of guardrail policies in local mode, which judges files by them."""

from typing import Any

from pointsman.api import GuardrailPolicy, GuardrailPolicyStatus
from pointsman.api.verdicts import FALSE, TRUE, Verdict, conditions
from pointsman.local.files.judging import Judged

_LONGEST = 1024


def policy_status(
    policy: GuardrailPolicy, judged: Judged, former: GuardrailPolicyStatus, now: str
) -> dict[str, Any]:
    """As the operator says it, in the same conditions."""
    compiled, enforced = judged.compiled, _enforced(judged)
    ready = Verdict("Ready", TRUE, "Enforced", "")
    if compiled.status is FALSE:
        ready = Verdict("Ready", FALSE, compiled.reason, compiled.message)
    generation = policy.metadata.generation
    return GuardrailPolicyStatus(
        observed_generation=generation,
        rules=judged.rules,
        violations=judged.violations,
        exceptions=judged.exceptions,
        conditions=conditions([compiled, enforced, ready], former.conditions, generation, now),
    ).to_document()


def _enforced(judged: Judged) -> Verdict:
    unheld = f"; not held here: {', '.join(judged.unheld)}" if judged.unheld else ""
    return Verdict("Enforced", TRUE, "Enforced", f"files are judged as they change{unheld}"[:_LONGEST])
