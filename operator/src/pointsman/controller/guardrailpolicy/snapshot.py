"""Everything that one decision about a GuardrailPolicy needs, frozen."""

from dataclasses import dataclass, field
from datetime import datetime

from pointsman.api import GuardrailPolicy
from pointsman.api.guardrailpolicy import Violation
from pointsman.controller.guardrailpolicy.by_hand import Standing
from pointsman.controller.modeldeployment.snapshot import Obstacle
from pointsman.controller.recording.hearing import Recording
from pointsman.kube.objects import KubeObject
from pointsman.policy.compiled import Compiled


@dataclass(frozen=True)
class Found:
    """What a policy's rules find in the objects that are there. `is_complete` once each was looked at."""

    total: int = 0
    first: tuple[Violation, ...] = ()
    is_complete: bool = False


@dataclass(frozen=True)
class PolicySnapshot:
    policy: GuardrailPolicy
    compiled: Compiled
    now: datetime
    natives: tuple[KubeObject, ...]
    """What exists of the policy's native objects."""
    found: Found
    left_out: tuple[str, ...]
    """Namespaces that no rule is for."""
    mutates: bool
    """Whether the API server has MutatingAdmissionPolicies."""
    settled_seconds: float
    """For how long the native objects have been what they are."""
    soon_seconds: float
    """An exception that ends within so long ends soon."""
    stood: Standing = field(default_factory=dict)
    """Which native objects stood as they are wanted at some look before."""
    apart: frozenset[str] = frozenset()
    """Native policies that the API server would not have: each of their rules stands alone."""
    unserved: frozenset[str] = frozenset()
    """Kinds of ours that the API server does not serve: their definitions are not installed."""
    contradictions: tuple[str, ...] = ()
    """What other policies say of its rules otherwise, a line for each."""
    recording: Recording | None = None
    """How the record of evidence is doing; None where none is kept."""
    obstacle: Obstacle | None = None
