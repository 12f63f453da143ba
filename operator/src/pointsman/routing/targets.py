"""A deployment as a route uses it: which cluster stands for it, and what that cluster must know."""

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from pointsman.addresses import in_url
from pointsman.api import EngineName, ModelDeployment, ObjectKey

# Envoy's defaults (1,024 and 3 retries) turn a busy target's death into refused retries. A replica that
# states no concurrency is given this many requests; the floor leaves room for the queue that every engine
# keeps itself.
_UNSTATED_CONCURRENCY = 1024
_QUEUE_FACTOR = 4
_FLOOR = 4096

# Providers whose OpenAI-shaped API answers stream_options with an error or does without it.
_WITHOUT_STREAM_OPTIONS = frozenset({"mistral"})
_KEY_HEADER = {"azure": "api-key"}
# They take an adapter's name alone for the model's, and answer without the adapter.
_ADAPTERS_OF_A_MODEL = frozenset({EngineName.SGLANG})

NO_ADAPTER = "its ModelDeployment lists no such adapter"
"""Why a target cannot be used whose adapter is not, or not yet, one of its deployment's."""


@dataclass(frozen=True, slots=True)
class Ejection:
    """When a replica rests: after `failures` in a row, for `seconds`, at most `percent` of them at once."""

    failures: int
    seconds: float
    percent: int


@dataclass(frozen=True, slots=True)
class ClusterUse:
    """What a route asks of a target's cluster beyond the target itself. Equal uses share a cluster."""

    ejection: Ejection
    hashed: bool
    adapter: str = ""
    """Which of its adapters is asked; empty for the model itself."""

    def suffix(self) -> str:
        text = f"{self.ejection.failures}/{self.ejection.seconds}/{self.ejection.percent}/{self.hashed}"
        return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


@dataclass(frozen=True, slots=True)
class HostedAddress:
    """Where a hosted model answers. `prefix` is the path that stands in place of "/v1"."""

    host: str
    port: int
    tls: bool
    prefix: str

    @property
    def authority(self) -> str:
        standard = 443 if self.tls else 80
        host = in_url(self.host)
        return host if self.port == standard else f"{host}:{self.port}"


def cluster_name(deployment: ObjectKey, use: ClusterUse) -> str:
    """`namespace/deployment~use`, with `/adapter` before the ~ where one is asked; metrics show that part."""
    return f"{deployment}/{use.adapter}~{use.suffix()}" if use.adapter else f"{deployment}~{use.suffix()}"


def hosted_address(base_url: str) -> HostedAddress:
    """Split a base URL that the API has already checked."""
    parts = urlsplit(base_url)
    tls = parts.scheme == "https"
    return HostedAddress(
        parts.hostname or "", parts.port or (443 if tls else 80), tls, parts.path.rstrip("/")
    )


def key_header(deployment: ModelDeployment) -> str:
    """The header that carries a provider's key; Authorization has "Bearer " before it."""
    hosted = deployment.spec.hosted
    return _KEY_HEADER.get(hosted.provider, "authorization") if hosted else "authorization"


def takes_usage_option(deployment: ModelDeployment) -> bool:
    """Whether stream_options.include_usage may be asked of it."""
    hosted = deployment.spec.hosted
    return hosted is None or hosted.provider not in _WITHOUT_STREAM_OPTIONS


def can_answer_as(deployment: ModelDeployment, adapter: str) -> bool:
    """Whether there is such an adapter of it; "" is the model itself."""
    return not adapter or adapter in deployment.adapter_names


def upstream_model(deployment: ModelDeployment, adapter: str = "") -> str:
    """The name that the target knows its model by, or its adapter."""
    spec = deployment.spec
    if adapter:
        of_model = spec.engine is not None and spec.engine.name in _ADAPTERS_OF_A_MODEL
        return f"{upstream_model(deployment)}:{adapter}" if of_model else adapter
    if spec.hosted is not None:
        return spec.hosted.model
    if spec.model is not None and spec.model.served_names:
        return spec.model.served_names[0]
    return deployment.metadata.name


def replica_count(deployment: ModelDeployment) -> int:
    """Replicas that are wanted; 1 for a hosted model, whose replicas nobody sees."""
    return 1 if deployment.spec.hosted is not None else max(deployment.spec.replicas, 1)


def requests_in_flight(deployment: ModelDeployment) -> int:
    """How many requests a target's cluster may hold at once, waiting ones included."""
    engine = deployment.spec.engine
    each = (engine.max_concurrency if engine else None) or _UNSTATED_CONCURRENCY
    return max(_FLOOR, _QUEUE_FACTOR * each * replica_count(deployment))
