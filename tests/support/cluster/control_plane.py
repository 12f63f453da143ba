"""A running control plane: etcd, kube-apiserver, controller manager and scheduler, as a test needs them."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.support.certificates import CertificateAuthority, ServerCertificate
from tests.support.cluster import commands
from tests.support.cluster.access import Access
from tests.support.cluster.admin import Admin
from tests.support.cluster.audit import AuditLog
from tests.support.cluster.build import built_control_plane
from tests.support.cluster.commands import Options, Place
from tests.support.cluster.component import Component
from tests.support.cluster.files import write_files
from tests.support.polling import eventually
from tests.support.ports import free_ports

ADMIN = "admin"
DEFAULTS = Options()

_READY_SECONDS = 90.0  # 3 s on two idle cores; room for a machine that builds at the same time
_TRIES = 3
_TOKEN_SECONDS = 24 * 3600
_PORT_TAKEN = "address already in use"


class ControlPlane:
    """A control plane with ports, certificates, keys and a folder of its own; any number run side by side.

    `ControlPlane.start()` returns it ready; `stop()`, or leaving the `with` block, ends and forgets it.
    """

    def __init__(self, place: Place, options: Options) -> None:
        self.options = options
        self.audit = AuditLog(place.audit_log)
        self._place = place
        self._authority = CertificateAuthority("Pointsman test cluster")
        self._admin_token = secrets.token_hex(16)
        self._components: dict[str, Component] = {}
        self._tls = self.access().tls_context()
        self.admin = Admin(self.access())

    @classmethod
    def start(
        cls, options: Options = DEFAULTS, *, folder: Path | None = None, programs: Path | None = None
    ) -> ControlPlane:
        """Start and wait until pods can be created. RuntimeError, with the log's end, if it does not come up.

        `folder` is where its files go, made anew; without it a temporary one. `programs` is the folder of the
        programs to run; without it those that are built, or named by KUBEBUILDER_ASSETS.
        """
        programs = programs or built_control_plane()
        for left in reversed(range(_TRIES)):
            home = folder or Path(tempfile.mkdtemp(prefix="pointsman-control-plane-"))
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            started = cls(Place(programs, home, *free_ports(3)), options)
            try:
                started._start()
                return started
            except RuntimeError as error:
                started.stop()
                # Between choosing a port and using it another program may have taken it.
                if not left or _PORT_TAKEN not in str(error):
                    raise
            except BaseException:
                started.stop()
                raise
        raise AssertionError("unreachable: the last try raises")

    @property
    def folder(self) -> Path:
        """Logs (`<program>.log`), keys, data."""
        return self._place.folder

    @property
    def server(self) -> str:
        """The API server's address."""
        return self._place.server

    @property
    def authority_pem(self) -> bytes:
        """The authority that signed the API server's certificate."""
        return self._authority.certificate_pem

    # Users.

    def access(self, user: str = ADMIN, groups: tuple[str, ...] = ()) -> Access:
        """A user's way in: the administrator's by token, any other's by a certificate with these groups."""
        if user == ADMIN:
            return Access(ADMIN, self.server, self.authority_pem, token=self._admin_token)
        certificate = self._authority.issue_client(user, groups)
        return Access(user, self.server, self.authority_pem, certificate=certificate)

    def server_certificate(self, names: Sequence[str]) -> ServerCertificate:
        """A certificate of the cluster's authority, for a server that its clients are to trust."""
        return self._authority.issue(names)

    def account_access(self, namespace: str, account: str, *, seconds: int = _TOKEN_SECONDS) -> Access:
        """A ServiceAccount's way in, by a token of TokenRequest that is valid so long (600 at least)."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        token = self.admin.request("POST", path, request)["status"]["token"]
        user = f"system:serviceaccount:{namespace}:{account}"
        return Access(user, self.server, self.authority_pem, token=token)

    def kubeconfig(
        self, user: str = ADMIN, groups: tuple[str, ...] = (), *, namespace: str = "default"
    ) -> Path:
        """A kubeconfig file for a user; see `access`."""
        return self.write_kubeconfig(self.access(user, groups), namespace=namespace)

    def account_kubeconfig(self, namespace: str, account: str, *, seconds: int = _TOKEN_SECONDS) -> Path:
        """A kubeconfig file for a ServiceAccount; see `account_access`."""
        return self.write_kubeconfig(
            self.account_access(namespace, account, seconds=seconds), namespace=namespace
        )

    def write_kubeconfig(self, access: Access, *, namespace: str = "default") -> Path:
        """The file for a way in, `<user>.kubeconfig` in the control plane's folder."""
        path = Path(self._place.kubeconfig(access.user.replace(":", "-")))
        path.touch(mode=0o600)
        path.write_text(access.kubeconfig(namespace))
        return path

    # Trouble.

    def component(self, name: str) -> Component:
        """A program by its name, such as `etcd`, to pause, kill or start it."""
        return self._components[name]

    def start_again_what_ended(self) -> None:
        """As a kubelet does with the pods of a control plane."""
        ended = [one for one in self._components.values() if not one.is_running]
        for component in ended:
            component.start()
        if ended:
            self.wait_ready()

    def restart_api_server(self) -> None:
        """Kill the API server, start it again and wait until it is ready: every connection is cut.

        `component("kube-apiserver").stop()` is the graceful end, which takes 20 s while watches are open.
        """
        self.component("kube-apiserver").kill()
        self.component("kube-apiserver").start()
        self.wait_ready()

    def wait_ready(self, within_seconds: float = _READY_SECONDS) -> None:
        """Wait until the API server says that it is ready. RuntimeError if it or etcd has ended."""
        eventually(self._is_ready, within_seconds, "the API server is ready")

    def compact_etcd(self) -> int:
        """Forget every revision but the present one, which is returned.

        The API server goes on answering from its own memory what it holds there; restart it too, and older
        continue tokens and resource versions are Gone.
        """
        key = "AA=="  # a zero byte: any key will do, the answer's header has the revision
        revision = int(self._ask_etcd("/v3/kv/range", {"key": key})["header"]["revision"])
        self._ask_etcd("/v3/kv/compaction", {"revision": revision, "physical": True})
        return revision

    def _ask_etcd(self, path: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        request = urllib.request.Request(self._place.etcd + path, data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, dict[str, str]] = json.load(response)
            return answer

    # Start and stop.

    def _start(self) -> None:
        place, options = self._place, self.options
        write_files(place, self._authority, f"{self._admin_token},{ADMIN},{ADMIN},system:masters\n")
        self._run("etcd", commands.etcd_command(place, options))
        self._run("kube-apiserver", commands.api_server_command(place, options))
        self.wait_ready()
        self.admin.__enter__()
        if options.controller_manager:
            self.kubeconfig("kube-controller-manager", ("system:masters",))
            self._run("kube-controller-manager", commands.controller_manager_command(place, options))
        if options.scheduler:
            self.kubeconfig("kube-scheduler", ("system:masters",))
            self._run("kube-scheduler", commands.scheduler_command(place, options))
        if options.kwok:
            self.kubeconfig("kwok", ("system:masters",))
            self._run("kwok", commands.kwok_command(place, options))
        if options.controller_manager:
            # Pods are refused until their namespace has its account.
            eventually(self._has_account, _READY_SECONDS, "the controller manager works")

    def _run(self, name: str, command: list[str]) -> None:
        component = Component(name, command, self.folder / f"{name}.log")
        self._components[name] = component
        component.start()

    def _is_ready(self) -> bool:
        for component in self._components.values():
            if not component.is_running:
                raise RuntimeError(f"{component.name} has ended: {component.log_tail()}")
        request = urllib.request.Request(f"{self.server}/readyz", headers=self.access().headers())
        try:
            with urllib.request.urlopen(request, timeout=5, context=self._tls):
                return True
        except OSError as error:
            raise AssertionError(f"/readyz: {error}") from error

    def _has_account(self) -> bool:
        self._is_ready()
        return self.admin.find("v1", "ServiceAccount", "default") is not None

    def stop(self) -> None:
        """End everything at once and remove the folder: nothing in it is worth a graceful end."""
        self.admin.close()
        for component in reversed(self._components.values()):
            component.kill()
        shutil.rmtree(self.folder)

    def __enter__(self) -> ControlPlane:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
