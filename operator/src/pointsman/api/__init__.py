"""The public API: the three kinds, the fleet settings, and what reads and checks them.

Pure: reading files is the caller's job.
"""

from pointsman.api.authentication import ApiKeys, Authentication, Jwt
from pointsman.api.canary import Canary
from pointsman.api.findings import Finding, in_order
from pointsman.api.fleet import EgressProxy, FleetAccelerator, FleetSettings, GatewaySettings, NameClaim
from pointsman.api.guardrailpolicy import GuardrailPolicy, GuardrailPolicySpec, GuardrailPolicyStatus
from pointsman.api.hardware import Hardware
from pointsman.api.hosted import Hosted, Price, Provider
from pointsman.api.located import Located, Stated
from pointsman.api.meta import (
    API_VERSION,
    DEFAULT_NAMESPACE,
    DEPLOYMENT_LABEL,
    GROUP,
    NAMESPACE_NAME_LABEL,
    VERSION,
    Condition,
    ConditionStatus,
    Credentials,
    LabelSelector,
    ObjectKey,
    ObjectMeta,
    SecretKeySelector,
)
from pointsman.api.modeldeployment import Drain, ModelDeployment, ModelDeploymentSpec, Task, Tier
from pointsman.api.modeldeployment_status import EngineStatus, ModelDeploymentStatus, PlacementStatus
from pointsman.api.modelroute import Mirror, ModelRoute, ModelRouteSpec
from pointsman.api.modelroute_status import ModelRouteStatus, TargetStatus
from pointsman.api.parsing import parse_documents
from pointsman.api.routematch import HeaderMatch, Match
from pointsman.api.routerule import (
    Affinity,
    Answering,
    Cooldown,
    Fallback,
    FallbackReason,
    FallbackTarget,
    RouteRule,
    Target,
    Timeouts,
    target_label,
)
from pointsman.api.scalars import (
    Duration,
    Money,
    ParameterCount,
    PositiveDuration,
    Quantity,
    Share,
    Timestamp,
)
from pointsman.api.secret import Secret
from pointsman.api.serving import (
    Adapter,
    Engine,
    EngineName,
    EnvironmentVariable,
    Model,
    ModelFacts,
    Quantization,
)

__all__ = [
    "API_VERSION",
    "DEFAULT_NAMESPACE",
    "DEPLOYMENT_LABEL",
    "GROUP",
    "NAMESPACE_NAME_LABEL",
    "VERSION",
    "Adapter",
    "Affinity",
    "Answering",
    "ApiKeys",
    "Authentication",
    "Canary",
    "Condition",
    "ConditionStatus",
    "Cooldown",
    "Credentials",
    "Drain",
    "Duration",
    "EgressProxy",
    "Engine",
    "EngineName",
    "EngineStatus",
    "EnvironmentVariable",
    "Fallback",
    "FallbackReason",
    "FallbackTarget",
    "Finding",
    "FleetAccelerator",
    "FleetSettings",
    "GatewaySettings",
    "GuardrailPolicy",
    "GuardrailPolicySpec",
    "GuardrailPolicyStatus",
    "Hardware",
    "HeaderMatch",
    "Hosted",
    "Jwt",
    "LabelSelector",
    "Located",
    "Match",
    "Mirror",
    "Model",
    "ModelDeployment",
    "ModelDeploymentSpec",
    "ModelDeploymentStatus",
    "ModelFacts",
    "ModelRoute",
    "ModelRouteSpec",
    "ModelRouteStatus",
    "Money",
    "NameClaim",
    "ObjectKey",
    "ObjectMeta",
    "ParameterCount",
    "PlacementStatus",
    "PositiveDuration",
    "Price",
    "Provider",
    "Quantity",
    "Quantization",
    "RouteRule",
    "Secret",
    "SecretKeySelector",
    "Share",
    "Stated",
    "Target",
    "TargetStatus",
    "Task",
    "Tier",
    "Timeouts",
    "Timestamp",
    "in_order",
    "parse_documents",
    "target_label",
]
