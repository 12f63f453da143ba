"""Names and labels of everything that is rendered: deterministic, valid for each legal ModelDeployment.

Selectors hold only what can never change: the deployment's name, the pool, and whether a pod takes requests.
"""

import hashlib
import re
from typing import Final

from pointsman.api import DEPLOYMENT_LABEL, GROUP, ModelDeployment
from pointsman.placement.result import DEFAULT_POOL

JsonLabels = dict[str, str]

DEPLOYMENT: Final = DEPLOYMENT_LABEL
POOL: Final = f"{GROUP}/pool"
ROLE: Final = f"{GROUP}/role"
REVISION: Final = f"{GROUP}/revision"
FILES: Final = f"{GROUP}/files"
ADAPTERS: Final = f"{GROUP}/adapters"
"""Of pods whose agent loads adapters and tells which."""
NOTE: Final = f"{GROUP}/note"
LEADER: Final = "leader"
WORKER: Final = "worker"

_HASH_DIGITS = 8
# A StatefulSet's name comes back in the label controller-revision-hash with a dash and 10 digits, and a
# LeaderWorkerSet's StatefulSets add the number of the group: 63 - 11 - 5.
_LONGEST_WORKLOAD = 47
_LONGEST_LABEL = 63


def base_name(name: str) -> str:
    """The name that a deployment's Service, ConfigMap and policies have: a DNS label that begins with a
    letter (RFC 1035), which the deployment's own name is not always.
    """
    plain = re.sub(r"[^a-z0-9-]", "-", name.lower())
    if plain == name and plain[0].isalpha() and len(plain) <= _LONGEST_LABEL:
        return plain
    return _hashed(plain, name, _LONGEST_LABEL)


def workload_name(name: str, pool: str, *, group: bool) -> str:
    """The name of a pool's Deployment, or of its LeaderWorkerSet (`group`), whose own Service must not be
    called like ours.
    """
    if pool == DEFAULT_POOL and not group:
        return base_name(name)
    plain = re.sub(r"[^a-z0-9-]", "-", f"{name}-{pool}".lower())
    # Both parts are hashed apart: deployment a-b with pool c is not deployment a with pool b-c.
    return _hashed(plain, f"{name}/{pool}", _LONGEST_WORKLOAD)


def adapters_name(name: str) -> str:
    """The name of the ConfigMap with a deployment's adapters: never that of another deployment's files."""
    plain = re.sub(r"[^a-z0-9-]", "-", f"{name}-adapters".lower())
    return _hashed(plain, f"{name}/adapters", _LONGEST_LABEL)


def _hashed(plain: str, identity: str, longest: int) -> str:
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_HASH_DIGITS]
    letters = plain if plain[0].isalpha() else f"m-{plain}"
    return f"{letters[: longest - _HASH_DIGITS - 1].rstrip('-')}-{digest}"


def selector(deployment: ModelDeployment) -> JsonLabels:
    """Every pod of a deployment."""
    return {DEPLOYMENT: deployment.metadata.name}


def leaders(deployment: ModelDeployment) -> JsonLabels:
    """The pods that count as replicas and take requests: one of each group of nodes."""
    return {**selector(deployment), ROLE: LEADER}


def pool_selector(deployment: ModelDeployment, pool: str) -> JsonLabels:
    """The pods of one pool."""
    return {**selector(deployment), POOL: pool}


def object_labels(deployment: ModelDeployment, engine: str) -> JsonLabels:
    """What every rendered object carries."""
    return {
        "app.kubernetes.io/name": engine,
        "app.kubernetes.io/instance": deployment.metadata.name,
        "app.kubernetes.io/component": "engine",
        "app.kubernetes.io/managed-by": "pointsman",
        "app.kubernetes.io/part-of": "pointsman",
        DEPLOYMENT: deployment.metadata.name,
    }
