"""How one user reaches the API server: address, the authority to trust, and who the user is."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.certificates import ClientCertificate


@dataclass(frozen=True)
class Access:
    """A user's way in: a bearer token, or a client certificate."""

    user: str
    server: str
    authority_pem: bytes
    token: str = ""
    certificate: ClientCertificate | None = None

    def tls_context(self) -> ssl.SSLContext:
        """Trusts the cluster's authority alone, and shows the client certificate where there is one."""
        context = ssl.create_default_context(cadata=self.authority_pem.decode())
        if self.certificate is not None:
            # The ssl module loads a chain from a file only.
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "client.pem"
                path.touch(mode=0o600)
                path.write_bytes(self.certificate.key_pem + self.certificate.certificate_pem)
                context.load_cert_chain(path)
        return context

    def headers(self) -> dict[str, str]:
        """The headers that say who asks."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def kubeconfig(self, namespace: str = "default") -> str:
        """A kubeconfig with everything inside. JSON, which is YAML too."""
        user: dict[str, Any] = {}
        if self.token:
            user["token"] = self.token
        if self.certificate is not None:
            user["client-certificate-data"] = _base64(self.certificate.certificate_pem)
            user["client-key-data"] = _base64(self.certificate.key_pem)
        cluster = {"server": self.server, "certificate-authority-data": _base64(self.authority_pem)}
        context = {"cluster": "test", "user": self.user, "namespace": namespace}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": self.user, "user": user}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }
        return json.dumps(document, indent=2) + "\n"


def account_kubeconfig(server: str, folder: str) -> str:
    """A kubeconfig for an account whose token and authority are files of `folder`, as pods have them."""
    cluster = {"server": server, "certificate-authority": f"{folder}/ca.crt"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "account", "user": {"tokenFile": f"{folder}/token"}}],
        "contexts": [{"name": "account", "context": {"cluster": "cluster", "user": "account"}}],
        "current-context": "account",
    }
    return json.dumps(document, indent=2) + "\n"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
