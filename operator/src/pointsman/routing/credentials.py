"""Secrets on their way to Envoy: which key may go to which host, and in which form."""

from dataclasses import dataclass

from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret as EnvoySecret

from pointsman.api import ModelDeployment, ObjectKey, Secret, SecretKeySelector
from pointsman.routing.inputs import RoutingInput
from pointsman.routing.names import secret_name
from pointsman.routing.resources import SECRET, Resource, resource
from pointsman.routing.targets import hosted_address
from pointsman.routing.typed import parse

_KEY_USE = "key"
_AUTHORITY_USE = "authorities"


@dataclass(frozen=True, slots=True)
class TargetSecrets:
    """What a hosted target needs of Secrets. `missing` says in one phrase why it cannot be used, if so."""

    key: Resource | None = None
    authorities: Resource | None = None
    missing: str = ""


def referenced_secrets(deployment: ModelDeployment, given: RoutingInput) -> tuple[Secret | None, ...]:
    """The Secrets that a target names; None where there is no such one."""
    hosted = deployment.spec.hosted
    references = (hosted.credentials, hosted.ca_certificates) if hosted else ()
    return tuple(
        given.secrets.get(ObjectKey(deployment.metadata.namespace, one.secret_ref.name))
        for one in references
        if one is not None
    )


def target_secrets(
    deployment: ModelDeployment, given: RoutingInput, owners: frozenset[ObjectKey]
) -> TargetSecrets:
    """The Envoy secrets of a target. A key whose Secret does not allow the host is never handed out."""
    hosted = deployment.spec.hosted
    if hosted is None:
        return TargetSecrets()
    key = authorities = None
    namespace = deployment.metadata.namespace
    if hosted.credentials is not None:
        reference = hosted.credentials.secret_ref
        secret, missing = _secret(given, namespace, reference)
        if secret is None:
            return TargetSecrets(missing=missing)
        host = hosted_address(hosted.base_url).host
        if not secret.may_be_sent_to(host):
            return TargetSecrets(
                missing=f"Secret {secret.key} does not allow its keys to go to {host} "
                f"(annotation pointsman.dev/allowed-hosts)"
            )
        if any(byte < 0x20 or byte == 0x7F for byte in (secret.value(reference.key) or b"").strip()):
            # Envoy would take it, and then fail each request without a word.
            return TargetSecrets(
                missing=f"Secret {secret.key} has a line break or another control character amid the key "
                f"{reference.key}, which no header can carry"
            )
        key = _envoy_secret(secret, reference, _KEY_USE, owners)
    if hosted.ca_certificates is not None:
        reference = hosted.ca_certificates.secret_ref
        secret, missing = _secret(given, namespace, reference)
        if secret is None:
            return TargetSecrets(missing=missing)
        authorities = _envoy_secret(secret, reference, _AUTHORITY_USE, owners)
    return TargetSecrets(key, authorities)


def _secret(given: RoutingInput, namespace: str, reference: SecretKeySelector) -> tuple[Secret | None, str]:
    key = ObjectKey(namespace, reference.name)
    secret = given.secrets.get(key)
    if secret is None:
        return None, f"Secret {key} does not exist"
    if not (secret.value(reference.key) or b"").strip():
        return None, f"Secret {key} has no value for the key {reference.key}"
    return secret, ""


def _envoy_secret(
    secret: Secret, reference: SecretKeySelector, use: str, owners: frozenset[ObjectKey]
) -> Resource:
    name = secret_name(secret.key, reference.key, use)
    value = (secret.value(reference.key) or b"").decode("utf-8", "replace").strip()
    source = {"inline_string": value}
    body = (
        {"generic_secret": {"secret": source}}
        if use == _KEY_USE
        else {"validation_context": {"trusted_ca": source}}
    )
    return resource(SECRET, name, parse({"name": name, **body}, EnvoySecret()), owners=owners)
