"""The deployments whose Kubernetes objects are kept beside this file.

Each engine, each source of weights, and each shape that a replica can have.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pointsman.api import EgressProxy, FleetSettings, ModelDeployment
from pointsman.api.hardware import Capacity
from pointsman.catalog import shipped_catalog
from pointsman.placement.result import Placement
from pointsman.workloads import Images, Rendering, Surroundings, freeze
from tests.support.builders import deployment
from tests.support.placement_results import GIBIBYTE, placed, pool

Tasks = tuple[str, ...]

UID = "3f2a9f0e-6c1e-4a52-9a54-1f0c2c9d7b10"
AGENT = f"registry.example.com/pointsman@sha256:{'ab' * 32}"
COMMIT = "9216db5781bf21249d130ec9da846c4624c16137"


@dataclass(frozen=True)
class Case:
    """One deployment with where it was placed."""

    deployment: ModelDeployment
    placement: Placement
    replicas: Mapping[str, int] = field(default_factory=lambda: {"default": 1})
    fleet: FleetSettings | None = None
    surroundings: Surroundings | None = None

    def frozen(self) -> Rendering:
        return freeze(
            self.deployment,
            self.placement,
            shipped_catalog(),
            Images(AGENT),
            fleet=self.fleet,
            surroundings=self.surroundings,
        )


def made(
    name: str, engine: str, source: str, /, *, tasks: tuple[str, ...] = (), **spec: Any
) -> ModelDeployment:
    """A deployment as the API server would give it; `spec` in YAML names."""
    return deployment(
        name, namespace="chat", engine=engine, source=source, tasks=tasks, metadata={"uid": UID}, spec=spec
    )


CPU = placed(
    pool(accelerator="", devices=0, tensor=1, max_concurrency=4),
    quantization="gguf",
    context_length=4096,
    weights_bytes=253113024,
    memory_bytes=900_000_000,
)
QWEN = "hf://Qwen/Qwen3-32B"

CASES: dict[str, Case] = {
    "vllm": Case(
        made(
            "qwen3-32b",
            "vllm",
            QWEN,
            model={
                "revision": COMMIT,
                "credentials": {"secretRef": {"name": "hf-token", "key": "token"}},
                "servedNames": ["qwen3-32b", "qwen/3"],
                "quantization": "fp8",
            },
            engine={
                "version": "0.33.0",
                "args": ["--enable-auto-tool-choice", "--tool-call-parser=hermes"],
                "env": [
                    {"name": "LOG_LEVEL", "value": "info"},
                    {"name": "LICENCE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                ],
                "chatTemplate": "{{ messages }}",
            },
        ),
        placed(pool(devices=2), quantization="fp8", weights_bytes=33 * GIBIBYTE),
        {"default": 3},
    ),
    "vllm-0.9": Case(made("old", "vllm", QWEN, engine={"version": "0.9.2"}, tasks=("embedding",)), placed()),
    "vllm-adapters": Case(
        made(
            "support",
            "vllm",
            "hf://meta-llama/Llama-3.1-8B-Instruct",
            model={
                "adapters": [
                    {"name": "support-de", "source": "s3://adapters/support-de", "revision": "7"},
                    {"name": "support-fr", "source": "pvc://adapters/support-fr"},
                ]
            },
        ),
        placed(),
    ),
    "vllm-live-adapters": Case(
        made(
            "support",
            "vllm",
            "hf://meta-llama/Llama-3.1-8B-Instruct",
            model={
                "credentials": {"secretRef": {"name": "hf-token", "key": "token"}},
                "adapters": [
                    {"name": "support-de", "source": "s3://adapters/support-de", "revision": "7"},
                    {"name": "acme/support-fr:v1.5", "source": "hf://acme/support-fr"},
                ],
            },
        ),
        placed(),
    ),
    "vllm-nodes": Case(
        made("deepseek-r1", "vllm", "pvc://models/deepseek-r1", hardware={"nodes": 2}),
        placed(pool(devices=16, tensor=8), pipeline=2, nodes=2, weights_bytes=641 * GIBIBYTE),
        {"default": 1},
    ),
    "vllm-image": Case(
        made("painter", "vllm", "hf://Qwen/Qwen-Image", tasks=("image",)), placed(context_length=0)
    ),
    "vllm-rocm": Case(made("amd", "vllm", QWEN), placed(pool(accelerator="MI300X"))),
    "sglang": Case(
        made("qwen3-8b", "sglang", "gs://models/qwen3-8b", engine={"version": "0.5.23"}),
        placed(pool(accelerator="L40S")),
    ),
    "sglang-nodes": Case(
        made("big", "sglang", QWEN, hardware={"nodes": 2}),
        placed(pool(devices=16), nodes=2, weights_bytes=400 * GIBIBYTE),
    ),
    "llama.cpp": Case(
        made(
            "gemma-3-270m",
            "llama.cpp",
            "https://models.example.com/gemma-3-270m-q4_k_m.gguf",
            model={"sha256": "0f" * 32},
            engine={"chatTemplate": "{{ messages }}"},
        ),
        CPU,
        {"default": 2},
    ),
    "llama.cpp-hub": Case(made("qwen3-0.6b", "llama.cpp", "hf://Qwen/Qwen3-0.6B-GGUF"), CPU),
    "tei": Case(
        made("bge-m3", "tei", "az://models/bge-m3", tasks=("embedding",)),
        placed(pool(accelerator="L4"), context_length=8192, weights_bytes=2 * GIBIBYTE),
    ),
    "tei-cpu": Case(
        made("reranker", "tei", "hf://BAAI/bge-reranker-v2-m3", tasks=("rerank",)),
        placed(
            pool(accelerator="", devices=0, tensor=1, max_concurrency=32),
            weights_bytes=2 * GIBIBYTE,
            memory_bytes=3 * GIBIBYTE,
        ),
    ),
    "triton": Case(
        made("phi-4", "triton", "hf://microsoft/phi-4"), placed(pool(devices=2, max_concurrency=128))
    ),
    "custom": Case(
        made(
            "house",
            "custom",
            "oci://registry.example.com/models/house",
            model={"revision": f"sha256:{'cd' * 32}"},
            engine={"image": f"registry.example.com/engine@sha256:{'ef' * 32}", "args": ["--fast"]},
        ),
        placed(),
    ),
    "pools": Case(
        made(
            "fleet",
            "vllm",
            QWEN,
            hardware={
                "pools": [
                    {
                        "name": "spot",
                        "accelerator": "H100-SXM",
                        "acceleratorsPerReplica": 2,
                        "capacity": "spot",
                        "maxReplicas": 6,
                    },
                    {"name": "base", "accelerator": "L40S", "acceleratorsPerReplica": 4, "maxReplicas": 2},
                ]
            },
        ),
        placed(pool("spot", devices=2, capacity=Capacity.SPOT), pool("base", "L40S", devices=4)),
        {"spot": 4, "base": 1},
        fleet=FleetSettings.model_validate(
            {
                "accelerators": [
                    {
                        "name": "L40S",
                        "nodeSelector": {"example.com/gpu": "l40s"},
                        "tolerations": [{"key": "example.com/gpu", "operator": "Exists"}],
                    }
                ]
            }
        ),
        surroundings=Surroundings(
            weights_claim="weights",
            proxy=EgressProxy(
                url="http://proxy.example.com:3128", cidrs=("10.1.2.3/32",), no_proxy=("10.0.0.0/8",)
            ),
            egress_cidrs=("198.51.100.0/24",),
            pod_monitors=True,
            spare=frozenset({"spot"}),
        ),
    ),
    "overlay": Case(
        made(
            "overlaid",
            "vllm",
            QWEN,
            template={
                "labels": {"kueue.x-k8s.io/queue-name": "gold", "team": "a"},
                "annotations": {"karpenter.sh/do-not-disrupt": "true"},
                "nodeSelector": {"pool": "inference"},
                "tolerations": [{"key": "team", "operator": "Equal", "value": "a", "effect": "NoSchedule"}],
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {"matchExpressions": [{"key": "rack", "operator": "In", "values": ["r1"]}]}
                            ]
                        }
                    }
                },
                "priorityClassName": "inference",
                "serviceAccountName": "model-reader",
                "imagePullSecrets": [{"name": "registry"}],
                "runtimeClassName": "nvidia",
                "resources": {"requests": {"cpu": "8"}, "limits": {"memory": "64Gi"}},
                "volumes": [{"name": "scratch", "emptyDir": {}}],
            },
        ),
        placed(),
    ),
}
