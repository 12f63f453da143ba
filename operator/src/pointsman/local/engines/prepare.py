"""From a deployment and its Secrets to the spec of its engines, or the reason why there is none."""

from collections.abc import Mapping

from pointsman.api import EngineName, Located, ModelDeployment, ObjectKey, Secret, SecretKeySelector
from pointsman.api.support import unsupported
from pointsman.catalog import shipped_catalog, unmet_demands
from pointsman.errors import PointsmanError

ENGINE = EngineName.LLAMA_CPP
"""The one engine of local mode: it runs on any CPU and comes as a Python package."""


def secret_value(
    secrets: Mapping[ObjectKey, Secret], namespace: str, reference: SecretKeySelector, where: str
) -> str:
    """The value a reference names. Raises PointsmanError if the Secret or the key is missing."""
    key = ObjectKey(namespace, reference.name)
    secret = secrets.get(key)
    value = None if secret is None else secret.value(reference.key)
    if value is None:
        what = (
            f"Secret {key} does not exist"
            if secret is None
            else f"Secret {key} has no value for {reference.key}"
        )
        raise PointsmanError(what, where=where, todo="state it in a Secret manifest beside this one")
    return value.decode("utf-8", "replace").strip()


def hub_token(deployment: ModelDeployment, secrets: Mapping[ObjectKey, Secret]) -> str | None:
    """The token for the source of the weights. Raises PointsmanError if it is named and missing."""
    model = deployment.spec.model
    if model is None or model.credentials is None:
        return None
    reference = model.credentials.secret_ref
    return secret_value(secrets, deployment.metadata.namespace, reference, "spec.model.credentials.secretRef")


def engine_environment(deployment: ModelDeployment, secrets: Mapping[ObjectKey, Secret]) -> dict[str, str]:
    """The variables that `engine.env` states. Raises PointsmanError for a missing Secret key."""
    found: dict[str, str] = {}
    engine = deployment.spec.engine
    for index, variable in enumerate(engine.env if engine is not None else ()):
        if variable.value_from is not None:
            where = f"spec.engine.env[{index}].valueFrom.secretKeyRef"
            reference = variable.value_from.secret_key_ref
            found[variable.name] = secret_value(secrets, deployment.metadata.namespace, reference, where)
        else:
            found[variable.name] = variable.value or ""
    return found


def refuse_unsupported(deployment: ModelDeployment) -> None:
    """Raises PointsmanError for what local mode cannot run, and for what its engine cannot do."""
    wrong = [*unsupported(Located(deployment), "local"), *unmet_demands(deployment, shipped_catalog())]
    for finding in wrong:
        if finding.is_error:
            raise PointsmanError(finding.what, where=finding.path, todo=finding.todo)
