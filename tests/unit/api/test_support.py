"""What cannot be done yet is refused in the mode that cannot do it, at the field, and never ignored."""

from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from pointsman.api import GuardrailPolicy, Located, ModelDeployment, ModelRoute
from pointsman.api.checks import Mode, unsupported
from pointsman.api.located import Stated
from tests.support.api_samples import valid_documents

MODES: tuple[Mode, ...] = ("local", "cluster", "any")

BY_KIND: dict[str, type[Any]] = {
    "ModelDeployment": ModelDeployment,
    "ModelRoute": ModelRoute,
    "GuardrailPolicy": GuardrailPolicy,
}


def an_object(kind: str, spec: str) -> Located[Stated]:
    document = {"kind": kind, "metadata": {"name": "x"}, "spec": yaml.safe_load(spec)}
    return Located(BY_KIND[kind].model_validate(document))


OWN = "model: {source: 'hf://a/b'}\nengine: {name: llama.cpp}\n"
HOSTED = "hosted: {provider: openai, baseURL: 'https://x.example.com', model: m}\n"
ROUTE = "models: [m]\nrules: [{targets: [{deployment: a}]}]\n"


@dataclass(frozen=True)
class Case:
    kind: str
    spec: str
    local: str = ""
    cluster: str = ""
    any: str = ""

    @property
    def want(self) -> dict[str, str]:
        return {"local": self.local, "cluster": self.cluster, "any": self.any}


def own(extra: str, **want: str) -> Case:
    return Case("ModelDeployment", OWN + extra, **want)


def engine(text: str, **want: str) -> Case:
    return Case("ModelDeployment", f"model: {{source: 'hf://a/b'}}\nengine: {text}\n", **want)


def source(text: str, **want: str) -> Case:
    return Case("ModelDeployment", f"model: {text}\nengine: {{name: llama.cpp}}\n", **want)


def everywhere(kind: str, spec: str, path: str) -> Case:
    return Case(kind, spec, path, path, path)


IMAGE = "example.com/x@sha256:" + "ab" * 32

CASES = {
    "a plain own model": own(""),
    "a plain hosted model": Case("ModelDeployment", HOSTED),
    "a plain route": Case("ModelRoute", ROUTE + "authentication: {anonymous: true}"),
    "a route with everything that works": Case(
        "ModelRoute",
        "models: [m]\nmirror: {deployment: b, percent: 1}\ndataClass: public\n"
        "authentication: {apiKeys: {secretSelector: {matchLabels: {a: b}}}}\n"
        "rules: [{match: {minPromptTokens: 5}, targets: [{deployment: a}], affinity: {header: x}}]",
    ),
    "canary": everywhere("ModelRoute", ROUTE + "canary: {deployment: b}", "spec.canary"),
    "limits": everywhere("ModelRoute", ROUTE + "limits: {maxOutputTokens: 5}", "spec.limits"),
    "archive": everywhere("ModelRoute", ROUTE + "archive: {sample: '1'}", "spec.archive"),
    "jwt": everywhere(
        "ModelRoute",
        ROUTE + "authentication: {jwt: {issuer: i, audiences: [a], jwksURI: 'https://i.example.com'}}",
        "spec.authentication.jwt",
    ),
    "a target elsewhere": everywhere(
        "ModelRoute",
        "models: [m]\nrules: [{targets: [{deployment: a}]}, {targets: [{deployment: a, namespace: b}]}]",
        "spec.rules[1].targets[0].namespace",
    ),
    "a fallback elsewhere": everywhere(
        "ModelRoute",
        "models: [m]\n"
        "rules: [{targets: [{deployment: a}], fallback: {targets: [{deployment: b, namespace: c}]}}]",
        "spec.rules[0].fallback.targets[0].namespace",
    ),
    "active scaling, which is the default": own("scaling: {maxReplicas: 2}"),
    "advised scaling": own("scaling: {mode: advise, maxReplicas: 2}"),
    "scaling to zero": own("scaling: {minReplicas: 0, maxReplicas: 2}"),
    "scaling to zero when idle": own("scaling: {maxReplicas: 2, idle: {after: 30m}}"),
    "a budget": own("scaling: {maxReplicas: 2, budget: {perHour: '5'}}", local="spec.scaling"),
    "a budget of someone else": own("scaling: {mode: 'off', maxReplicas: 2, budget: {perHour: '5'}}"),
    "scaling by someone else": own("scaling: {mode: 'off', maxReplicas: 2}"),
    "routes of other namespaces": everywhere(
        "ModelDeployment", OWN + "allowedRoutes: {namespaces: All}", "spec.allowedRoutes.namespaces"
    ),
    "routes of the same namespace": own("allowedRoutes: {namespaces: Same}"),
    "hardware": own("hardware: {nodes: 2}", local="spec.hardware"),
    "a pod overlay": own("template: {labels: {a: b}}", local="spec.template"),
    "a refresh": own("refresh: now", local="spec.refresh"),
    "another engine": engine("{name: vllm}", local="spec.engine.name"),
    "an image": engine(f"{{name: llama.cpp, image: '{IMAGE}'}}", local="spec.engine.image"),
    "a version": engine("{name: llama.cpp, version: '1'}", local="spec.engine.version"),
    "arguments and environment": engine("{name: llama.cpp, args: [a], env: [{name: A, value: b}]}"),
    "weights of this machine": source("{source: 'file:///a.gguf'}", cluster="spec.model.source"),
    "weights of a package": source("{source: 'package://a'}"),
    "weights in a bucket": source("{source: 's3://a/b'}", local="spec.model.source"),
    "weights in a volume": source("{source: 'pvc://a/b'}", local="spec.model.source"),
    "adapters": source(
        "{source: 'hf://a/b', adapters: [{name: a, source: 'hf://c/d'}]}", local="spec.model.adapters"
    ),
    "a quantization that the file does not have": source(
        "{source: 'hf://a/b', quantization: fp8}", local="spec.model.quantization"
    ),
    "the quantization that the file has": source("{source: 'hf://a/b', quantization: gguf}"),
    "policies": Case("GuardrailPolicy", "packs: [{name: a}]"),
    "policies at run time": Case(
        "GuardrailPolicy",
        "runtime: {input: [{detector: pii, action: redact}]}",
        local="spec.runtime",
        cluster="spec.runtime",
        any="spec.runtime",
    ),
    "limits of a provider": Case(
        "ModelDeployment",
        HOSTED.replace("model: m", "model: m, limits: {requestsPerMinute: 5}"),
        *["warning spec.hosted.limits"] * 3,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_field_is_refused_where_nothing_would_act_on_it(case: Case) -> None:
    found = {mode: unsupported(an_object(case.kind, case.spec), mode) for mode in MODES}
    said = {
        mode: " ".join(("warning " if not finding.is_error else "") + finding.path for finding in findings)
        for mode, findings in found.items()
    }
    assert said == case.want
    assert all(finding.what and finding.todo for findings in found.values() for finding in findings)


@pytest.mark.parametrize("mode", MODES)
def test_what_any_mode_refuses_is_refused_by_each(mode: Mode) -> None:
    for document in valid_documents():
        if document["kind"] in BY_KIND:
            located: Located[Stated] = Located(BY_KIND[document["kind"]].model_validate(document))
            paths = {finding.path for finding in unsupported(located, mode)}
            assert {finding.path for finding in unsupported(located, "any")} <= paths
