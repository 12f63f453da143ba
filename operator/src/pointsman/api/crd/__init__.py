"""CustomResourceDefinitions out of the models; `python -m pointsman.api.crd FOLDER` writes them."""

from pointsman.api.crd.bounds import unbounded
from pointsman.api.crd.definition import definition, file_name, file_text
from pointsman.api.guardrailpolicy import GuardrailPolicy
from pointsman.api.modeldeployment import ModelDeployment
from pointsman.api.modelroute import ModelRoute
from pointsman.api.resource import Resource

KINDS: tuple[type[Resource], ...] = (ModelDeployment, ModelRoute, GuardrailPolicy)

__all__ = ["KINDS", "definition", "file_name", "file_text", "unbounded"]
