"""Names that several parts of the Envoy configuration share."""

from pointsman.api import ObjectKey

# Headers between our own filters. A client's are removed at the door, ours before the request leaves.
INTERNAL_PREFIX = "x-pm-"
MODEL_HEADER = "x-pm-model"
STREAM_HEADER = "x-pm-stream"
BYTES_HEADER = "x-pm-bytes"
AFFINITY_HEADER = "x-pm-affinity"
CLIENT_HEADER = "x-pm-client"
OPEN_HEADER = "x-pm-open"
PATH_HEADER = "x-pm-path"
RETRY_HEADER = "x-pm-retry"
# Its value is a secret of one gateway process: what a replica says of itself lets no request go.
HOLD_HEADER = "x-pm-hold"

# What clients see of the path that their request took.
TARGET_HEADER = "x-pointsman-target"
ATTEMPTS_HEADER = "x-pointsman-attempts"

CLIENT_STATE = "pm.client"

# A public model name cannot begin with "!", so these scopes of our own meet none.
MODELS_SCOPE = "!models"
ERROR_SCOPES = ("!path", "!method", "!content-type", "!malformed", "!model")


def route_name(route: ObjectKey) -> str:
    return str(route)


def endpoints_name(deployment: ObjectKey) -> str:
    return str(deployment)


def secret_name(secret: ObjectKey, key: str, use: str) -> str:
    """One name for each use, as one Secret key may serve as a header and as certificates."""
    return f"{secret}/{key}#{use}"
