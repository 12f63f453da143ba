"""Secrets that objects name: that they exist, hold the key, and may be sent where they would go."""

from collections.abc import Iterator

from pointsman.api.checks.hosts import host_of
from pointsman.api.checks.inventory import Inventory
from pointsman.api.findings import Finding
from pointsman.api.located import Located
from pointsman.api.meta import ObjectKey, SecretKeySelector
from pointsman.api.misspelling import nearest
from pointsman.api.modeldeployment import ModelDeployment, ModelDeploymentSpec
from pointsman.api.modelroute import ModelRoute
from pointsman.api.nodes import Path
from pointsman.api.secret import ALLOWED_HOSTS, ENVIRONMENT_PREFIX, FILE_PREFIX, Secret


def unusable_credentials(deployment: Located[ModelDeployment], inventory: Inventory) -> Iterator[Finding]:
    hosted = deployment.resource.spec.hosted
    for path, selector in _references(deployment.resource.spec):
        secret = inventory.secrets.get(ObjectKey(deployment.resource.metadata.namespace, selector.name))
        if secret is None:
            yield from _missing(deployment, path, selector, inventory)
            continue
        if selector.key not in secret.resource.keys:
            yield _no_such_key(deployment, path, selector, secret.resource)
        elif inventory.mode == "cluster" and secret.resource.value(selector.key) is None:
            yield _only_local(deployment, path, selector, secret.resource)
        if hosted is not None and path[2] == "credentials":
            yield from _may_not_be_sent(deployment, path, secret.resource, host_of(hosted.base_url))


def absent_api_keys(route: Located[ModelRoute], inventory: Inventory) -> Iterator[Finding]:
    authentication = route.resource.spec.authentication
    if authentication is None or authentication.api_keys is None or inventory.unread.anything:
        return
    namespace = route.resource.metadata.namespace
    selector = authentication.api_keys.secret_selector
    if not inventory.has_secret(namespace, selector):
        what = f"no Secret in namespace {namespace} has these labels, so nobody may call this route"
        todo = "label a Secret, each key of it a client"
        if inventory.mode != "local":
            what = f"no Secret of namespace {namespace} among these files has these labels"
            todo = "make sure that the cluster has one, each key of it a client"
        path = ("spec", "authentication", "apiKeys", "secretSelector")
        yield route.finding(path, what, todo, severity="warning")


def _references(spec: ModelDeploymentSpec) -> Iterator[tuple[Path, SecretKeySelector]]:
    if spec.hosted is not None:
        if spec.hosted.credentials is not None:
            yield ("spec", "hosted", "credentials", "secretRef"), spec.hosted.credentials.secret_ref
        if spec.hosted.ca_certificates is not None:
            yield ("spec", "hosted", "caCertificates", "secretRef"), spec.hosted.ca_certificates.secret_ref
    if spec.model is not None and spec.model.credentials is not None:
        yield ("spec", "model", "credentials", "secretRef"), spec.model.credentials.secret_ref
    for index, variable in enumerate(spec.engine.env if spec.engine is not None else ()):
        if variable.value_from is not None:
            path = ("spec", "engine", "env", index, "valueFrom", "secretKeyRef")
            yield path, variable.value_from.secret_key_ref


def _missing(
    deployment: Located[ModelDeployment], path: Path, selector: SecretKeySelector, inventory: Inventory
) -> Iterator[Finding]:
    key = ObjectKey(deployment.resource.metadata.namespace, selector.name)
    if inventory.may_exist("Secret", key):
        return
    meant = inventory.secret_names.nearest(key)
    hint = f'did you mean "{meant}"?' if meant is not None else ""
    at = (*path, "name")
    if inventory.mode == "local":
        todo = hint or "write its manifest beside this file"
        yield deployment.finding(at, f"there is no Secret {key}", todo)
    else:
        # Secrets seldom lie beside the other files of a cluster.
        what = f"Secret {key} is not among these files"
        yield deployment.finding(at, what, hint or "make sure that the cluster has it", severity="warning")


def _no_such_key(
    deployment: Located[ModelDeployment], path: Path, selector: SecretKeySelector, secret: Secret
) -> Finding:
    meant = nearest(selector.key, secret.keys)
    known = ", ".join(sorted(secret.keys)[:8])
    todo = (
        f'did you mean "{meant}"?' if meant is not None else (f"it has {known}" if known else "it has none")
    )
    return deployment.finding((*path, "key"), f'Secret {secret.key} has no key "{selector.key}"', todo)


def _only_local(
    deployment: Located[ModelDeployment], path: Path, selector: SecretKeySelector, secret: Secret
) -> Finding:
    prefix = FILE_PREFIX if selector.key in secret.files else ENVIRONMENT_PREFIX
    what = (
        f'Secret {secret.key} has no key "{selector.key}" in a cluster, '
        f"which does not read {prefix}{selector.key}"
    )
    return deployment.finding((*path, "key"), what, "write the value under data")


def _may_not_be_sent(
    deployment: Located[ModelDeployment], path: Path, secret: Secret, host: str
) -> Iterator[Finding]:
    if not secret.may_be_sent_to(host):
        listed = ", ".join(sorted({*secret.allowed_hosts, host}))
        what = f"Secret {secret.key} may not be sent to {host}"
        yield deployment.finding(path, what, f'set its annotation {ALLOWED_HOSTS}: "{listed}"')
