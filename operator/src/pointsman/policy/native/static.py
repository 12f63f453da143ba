"""Native policies as files that an API server loads at its start (manifest-based admission control): nobody
changes or deletes those through the API.
"""

from collections.abc import Mapping
from typing import Any

_SUFFIX = ".static.k8s.io"
"""What the API server wants such names to end in."""


def as_static(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The same object under a name for files; a binding names its policy so too."""
    spec = dict(manifest["spec"])
    if "policyName" in spec:
        spec["policyName"] += _SUFFIX
    metadata = {**manifest["metadata"], "name": manifest["metadata"]["name"] + _SUFFIX}
    return {**manifest, "metadata": metadata, "spec": spec}
