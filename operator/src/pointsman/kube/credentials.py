"""Where the API server is and how it knows us, read by the official package's loaders.

Everything is read anew once a minute, or at once after the server did not accept it: tokens and certificates
rotate. A kubeconfig's exec plugin runs again only when what it gave ends or was refused.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import yaml
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)
from kubernetes.aio.config.kube_config import KubeConfigLoader, KubeConfigMerger

from pointsman.api import DEFAULT_NAMESPACE
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.errors import BadCredentials

# The kubelet replaces a token at 80 % of its life of ten minutes or more; client-go looks each minute.
_FRESH_SECONDS = 60.0
# A plugin's credentials are renewed this long before they end.
_EARLY_SECONDS = 120.0
# At most this often after refusals: a plugin may be a slow program or count its calls.
_REFUSED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Access:
    """What a connection needs. `tls` is None for plain HTTP; `authorization` is a header, or empty."""

    server: str
    tls: ssl.SSLContext | None
    authorization: str = field(default="", repr=False)
    server_name: str | None = None
    proxy: str | None = None


class Credentials(Protocol):
    async def access(self) -> Access:
        """What to use now. Raises BadCredentials when there is nothing usable."""

    def refuse(self) -> None:
        """The server did not accept them: read them anew at the next `access`."""


class _Settings:
    """What the official loaders write into; the names are those of their Configuration."""

    def __init__(self) -> None:
        self.host = ""
        self.api_key: dict[str, str] = {}
        self.ssl_ca_cert: str | None = None
        self.cert_file: str | None = None
        self.key_file: str | None = None
        self.verify_ssl = True
        self.tls_server_name: str | None = None
        self.proxy: str | None = None


class _Reread:
    """Keeps what was read until it is stale, and the TLS context until a file behind it changes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._access: Access | None = None
        self._read_at = 0.0
        self._is_refused = False
        self._tls: tuple[object, ssl.SSLContext] | None = None

    async def access(self) -> Access:
        age = self._clock() - self._read_at
        stale = age >= _REFUSED_SECONDS if self._is_refused else self._is_stale(age)
        if self._access is None or stale:
            settings = await self._read()
            self._access = Access(
                server=settings.host.rstrip("/"),
                tls=self._context(settings) if settings.host.startswith("https:") else None,
                authorization=settings.api_key.get("BearerToken", ""),
                server_name=settings.tls_server_name,
                proxy=settings.proxy,
            )
            self._read_at = self._clock()
            self._is_refused = False
        return self._access

    def refuse(self) -> None:
        self._is_refused = True

    def _is_stale(self, age_seconds: float) -> bool:
        return age_seconds >= _FRESH_SECONDS

    async def _read(self) -> _Settings:
        raise NotImplementedError

    def _context(self, settings: _Settings) -> ssl.SSLContext:
        files = (settings.ssl_ca_cert, settings.cert_file, settings.key_file)
        seen = (settings.verify_ssl, *((name, _changed_at(name)) for name in files))
        if self._tls is None or self._tls[0] != seen:
            self._tls = seen, _tls_context(settings)
        return self._tls[1]


class InCluster(_Reread):
    """The pod's own service account."""

    def __init__(
        self,
        token_file: str = SERVICE_TOKEN_FILENAME,
        ca_file: str = SERVICE_CERT_FILENAME,
        *,
        environment: dict[str, str] | None = None,
        clock: Clock = elapsed_seconds,
    ) -> None:
        super().__init__(clock)
        self._token_file = token_file
        self._ca_file = ca_file
        self._environment = dict(os.environ) if environment is None else environment

    async def _read(self) -> _Settings:
        settings = _Settings()
        try:
            InClusterConfigLoader(
                self._token_file, self._ca_file, try_refresh_token=False, environ=self._environment
            ).load_and_set(settings)
        except (ConfigException, OSError, ValueError) as error:
            raise BadCredentials(
                f"the pod's service account cannot be used: {error}",
                todo="run in a pod with a service account token, or name a kubeconfig",
            ) from error
        return settings


class Kubeconfig(_Reread):
    """A context of a kubeconfig: certificates, token, token file, exec plugin, OIDC."""

    def __init__(self, paths: str, context: str = "", *, clock: Clock = elapsed_seconds) -> None:
        """`paths` as in KUBECONFIG, separated by ":"; an empty `context` is the current one."""
        super().__init__(clock)
        self._paths = paths
        self._context_name = context
        self._has_plugin = False
        self._ends_at: datetime | None = None

    def _is_stale(self, age_seconds: float) -> bool:
        if self._has_plugin:
            return self._ends_at is not None and self._remaining_seconds(self._ends_at) < _EARLY_SECONDS
        return super()._is_stale(age_seconds)

    @staticmethod
    def _remaining_seconds(end: datetime) -> float:
        """A plugin's end is a time of day, and nothing else can be compared with it."""
        return (end - datetime.now(UTC)).total_seconds()

    async def _read(self) -> _Settings:
        settings = _Settings()
        try:
            merged = KubeConfigMerger(self._paths)
            if merged.config is None:
                raise BadCredentials("there is no such file", where=self._paths, todo="set KUBECONFIG")
            loader = KubeConfigLoader(
                config_dict=merged.config,
                active_context=self._context_name or None,
                config_base_path=None,
                config_persister=lambda _config: merged.save_changes(),
            )
            await loader.load_and_set(settings)
            user = _user(merged.config.value, loader.current_context)
        except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError) as error:
            raise BadCredentials(
                f"this kubeconfig cannot be used: {error}", where=self._paths, todo="check it with kubectl"
            ) from error
        self._has_plugin = "exec" in user
        self._ends_at = getattr(loader, "exec_plugin_expiry", None)
        if self._has_plugin and not settings.api_key and not settings.cert_file:
            raise BadCredentials(
                "the user's exec plugin gave no credentials",
                where=self._paths,
                todo=f"run {user['exec'].get('command', 'it')} by hand",
            )
        return settings


@dataclass(frozen=True, slots=True)
class Context:
    """A context of a kubeconfig: its own name, and the namespace that is meant where none is said."""

    name: str
    namespace: str


def default_kubeconfig(environment: Mapping[str, str]) -> str:
    """Where kubectl looks: KUBECONFIG (paths with ":" between), else ~/.kube/config; "" for no such file."""
    named = environment.get("KUBECONFIG", "")
    if named:
        return named
    default = Path(environment.get("HOME") or Path.home()) / ".kube" / "config"
    return str(default) if default.is_file() else ""


def find_context(paths: str, context: str = "") -> Context:
    """The context of that name, by default the current one. Raises BadCredentials where there is none."""
    there = [path for path in paths.split(os.pathsep) if Path(path).is_file()]
    if not there:
        raise BadCredentials("there is no such kubeconfig", where=paths, todo="see kubectl config view")
    try:
        config = KubeConfigMerger(os.pathsep.join(there)).config.value
        known = {str(one["name"]): one["context"].value or {} for one in config.get("contexts") or ()}
        name = context or str(config.get("current-context") or "")
    except (ConfigException, yaml.YAMLError, OSError, ValueError, LookupError, TypeError, AttributeError):
        raise BadCredentials("this is no kubeconfig", where=paths, todo="check it with kubectl") from None
    choice = f"name one of {', '.join(sorted(known))} with --context" if known else "see kubectl config"
    if not name:
        raise BadCredentials("it names no current context", where=paths, todo=choice)
    if name not in known:
        raise BadCredentials(f'it has no context "{name}"', where=paths, todo=choice)
    return Context(name, str(known[name].get("namespace") or DEFAULT_NAMESPACE))


def find_credentials(kubeconfig: str = "", context: str = "") -> Credentials:
    """The kubeconfig that is named, else KUBECONFIG, else the pod's service account, else ~/.kube/config.

    Raises BadCredentials where there is none, or no such context in it: no waiting would mend that.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG", "")
    if named:
        return _checked(named, context)
    if os.environ.get(SERVICE_HOST_ENV_NAME) and not context:
        return InCluster()
    default = default_kubeconfig(os.environ)
    if default:
        return _checked(default, context)
    raise BadCredentials("no cluster is known", todo="set KUBECONFIG, or run in a pod with a service account")


def _checked(paths: str, context: str) -> Kubeconfig:
    find_context(paths, context)
    return Kubeconfig(paths, context)


def _user(config: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """The user of the context in use; empty where it has none."""
    name = context.get("context", {}).get("user")
    for user in config.get("users") or ():
        if user["name"] == name:
            found: dict[str, Any] = user["user"].value or {}
            return found
    return {}


def _tls_context(settings: _Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        raise BadCredentials(f"the certificates cannot be used: {error}") from error
    # Python 3.13 asks for key identifiers that the certificates of many clusters do not have.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", ssl.VerifyFlags(0))
    if not settings.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _changed_at(path: str | None) -> float:
    return os.stat(path).st_mtime if path and os.path.exists(path) else 0.0
