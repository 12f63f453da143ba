"""Manifests of test objects as plain data, with the fields that a test is about as keywords.

Defaults make an object that is valid and serves; `spec` and `metadata` overlay whatever has no keyword (YAML
names, merged deeply). `builders` makes API objects of the same keywords.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

Targets = Sequence[str] | Mapping[str, int]
"""Deployment names, evenly weighted, or name -> weight."""

_API_VERSION = "pointsman.dev/v1alpha1"


def overlaid(base: Mapping[str, Any], overlay: Mapping[str, Any] | None) -> Json:
    """`base` with `overlay` merged into it: mappings deeply, anything else replaced."""
    merged = dict(base)
    for key, value in (overlay or {}).items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = overlaid(below, value)
        else:
            merged[key] = value
    return merged


def _stated(**fields: Any) -> Json:
    """The fields that have a value: an empty one is left out, as a person would leave it out."""
    return {key: value for key, value in fields.items() if value not in (None, "", (), [], {})}


def _object(
    kind: str,
    name: str,
    namespace: str,
    generation: int,
    metadata: Mapping[str, Any] | None,
    spec: Mapping[str, Any],
) -> Json:
    meta = _stated(name=name, namespace=namespace, generation=generation)
    return {
        "apiVersion": _API_VERSION,
        "kind": kind,
        "metadata": overlaid(meta, metadata),
        "spec": dict(spec),
    }


def deployment(
    name: str,
    *,
    namespace: str = "default",
    engine: str = "vllm",
    source: str = "hf://stand-in/model",
    served_names: Sequence[str] = (),
    replicas: int = 1,
    tasks: Sequence[str] = (),
    data_classes: Sequence[str] = (),
    max_concurrency: int | None = None,
    adapters: Sequence[str] = (),
    generation: int = 1,
    metadata: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Json:
    """A ModelDeployment with an engine of our own."""
    stated = _stated(
        tasks=list(tasks),
        dataClasses=list(data_classes),
        model=_stated(
            source=source,
            servedNames=list(served_names),
            adapters=[{"name": name, "source": f"hf://stand-in/{name}"} for name in adapters],
        ),
        engine=_stated(name=engine, maxConcurrency=max_concurrency),
    )
    # Stated always: 0 is a value.
    stated["replicas"] = replicas
    return _object("ModelDeployment", name, namespace, generation, metadata, overlaid(stated, spec))


def hosted(
    name: str,
    base_url: str,
    *,
    namespace: str = "default",
    provider: str = "custom",
    model: str = "gpt-5-mini",
    secret: tuple[str, str] | None = None,
    ca_certificates: tuple[str, str] | None = None,
    price: tuple[str, str] | None = None,
    tasks: Sequence[str] = (),
    data_classes: Sequence[str] = (),
    generation: int = 1,
    metadata: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Json:
    """A ModelDeployment at a provider.

    `secret` and `ca_certificates` are (name, key) of a Secret; `price` is (input, output) a million tokens.
    """
    described = _stated(
        provider=provider,
        baseURL=base_url,
        model=model,
        credentials=_secret_ref(secret),
        caCertificates=_secret_ref(ca_certificates),
        price=price and {"inputPerMillionTokens": price[0], "outputPerMillionTokens": price[1]},
    )
    stated = _stated(tasks=list(tasks), dataClasses=list(data_classes), hosted=described)
    return _object("ModelDeployment", name, namespace, generation, metadata, overlaid(stated, spec))


def _secret_ref(name_and_key: tuple[str, str] | None) -> Json | None:
    return name_and_key and {"secretRef": {"name": name_and_key[0], "key": name_and_key[1]}}


def _targets(targets: Targets) -> list[Json]:
    if isinstance(targets, Mapping):
        return [{**named(name), "weight": weight} for name, weight in targets.items()]
    return [named(name) for name in targets]


def named(target: str) -> Json:
    """`deployment` or `deployment/adapter`, as a route names it."""
    name, _, adapter = target.partition("/")
    return _stated(deployment=name, adapter=adapter)


def rule(
    targets: Targets,
    *,
    fallback: Sequence[str] = (),
    when: Sequence[str] = (),
    cooldown: tuple[int, str] | None = None,
    headers: Mapping[str, str] | None = None,
    min_prompt_tokens: int | None = None,
    first_token: str = "",
    request: str = "",
    idle: str = "",
    affinity: Mapping[str, Any] | None = None,
) -> Json:
    """One rule of a route. `cooldown` is (failures, for); durations are Go style."""
    matched = [{"name": name, "value": value} for name, value in (headers or {}).items()]
    falls_back = _stated(
        when=list(when),
        targets=_targets(fallback),
        cooldown=cooldown and {"failures": cooldown[0], "for": cooldown[1]},
    )
    return _stated(
        match=_stated(headers=matched, minPromptTokens=min_prompt_tokens),
        targets=_targets(targets),
        fallback=falls_back if fallback else None,
        timeouts=_stated(request=request, firstToken=first_token, idle=idle),
        affinity=affinity,
    )


def route(
    name: str,
    targets: Targets = (),
    *,
    namespace: str = "default",
    models: Sequence[str] = (),
    rules: Sequence[Mapping[str, Any]] = (),
    fallback: Sequence[str] = (),
    when: Sequence[str] = (),
    cooldown: tuple[int, str] | None = None,
    first_token: str = "",
    request: str = "",
    idle: str = "",
    affinity: Mapping[str, Any] | None = None,
    mirror: tuple[str, int] | None = None,
    api_keys: Mapping[str, str] | None = None,
    data_class: str = "",
    generation: int = 1,
    metadata: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Json:
    """A ModelRoute: `rules` (see `rule`) and after them, where `targets` are given, a rule without a match.

    `models` defaults to the object's own name. `api_keys` are the labels that select the Secrets with the
    clients' keys; without them anyone may call. `mirror` is (deployment, percent).
    An adapter is asked for as `deployment/adapter`, wherever a deployment is named.
    """
    default = rule(
        targets,
        fallback=fallback,
        when=when,
        cooldown=cooldown,
        first_token=first_token,
        request=request,
        idle=idle,
        affinity=affinity,
    )
    selector = {"secretSelector": {"matchLabels": dict(api_keys)}} if api_keys else None
    stated = _stated(
        models=list(models) or [name],
        rules=[*rules, *([default] if targets else [])],
        mirror=mirror and {**named(mirror[0]), "percent": mirror[1]},
        authentication={"apiKeys": selector} if selector else {"anonymous": True},
        dataClass=data_class,
    )
    return _object("ModelRoute", name, namespace, generation, metadata, overlaid(stated, spec))


def secret(
    name: str,
    values: Mapping[str, str] | None = None,
    *,
    namespace: str = "default",
    allowed_hosts: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> Json:
    """A v1 Secret with plain values; `environment` and `files` say where a key's value comes from instead."""
    annotations = {
        **({"pointsman.dev/allowed-hosts": ",".join(allowed_hosts)} if allowed_hosts else {}),
        **{f"pointsman.dev/env.{key}": variable for key, variable in (environment or {}).items()},
        **{f"pointsman.dev/file.{key}": path for key, path in (files or {}).items()},
    }
    meta = _stated(name=name, namespace=namespace, labels=dict(labels or {}), annotations=annotations)
    return _stated(apiVersion="v1", kind="Secret", metadata=meta, stringData=dict(values or {}))


def write_manifests(path: Path, *manifests: Mapping[str, Any]) -> Path:
    """Write the manifests as one YAML file of several documents, replacing it in one step; returns `path`."""
    text = yaml.safe_dump_all([dict(manifest) for manifest in manifests], sort_keys=False)
    beside = path.with_name(f".{path.name}.partial")
    beside.write_text(text)
    beside.replace(path)
    return path
