"""Certificates, keys and tokens of one control plane, as its programs read them from files."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.certificates import CertificateAuthority
from tests.support.cluster.commands import Place

# What clients on this machine and "in" the cluster call the API server.
_NAMES = ("127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


def write_files(place: Place, authority: CertificateAuthority, tokens: str) -> None:
    """Write what `commands` names: the authority, the server's certificate, accounts' keys, static tokens."""
    served = authority.issue(_NAMES)
    towards_nodes = authority.issue_client("kube-apiserver", ("system:masters",))
    signing = ec.generate_private_key(ec.SECP256R1())
    contents = {
        "ca.pem": authority.certificate_pem,
        "api.pem": served.certificate_pem,
        "api.key": served.key_pem,
        "accounts.key": signing.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        "accounts.pem": signing.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "kubelet-client.pem": towards_nodes.certificate_pem,
        "kubelet-client.key": towards_nodes.key_pem,
        "tokens.csv": tokens.encode(),
    }
    for name, content in contents.items():
        _write_private(place.folder / name, content)


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
