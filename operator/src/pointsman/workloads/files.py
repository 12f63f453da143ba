"""Files that engines read beside their weights: a chat template, Triton's model repository."""

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined

from pointsman.api import EngineName, ModelDeployment
from pointsman.catalog import LaunchValue
from pointsman.placement.result import DEFAULT_POOL, Placement, Pool

VOLUME: Final = "files"
CHAT_TEMPLATE: Final = "chat-template.jinja"
CHAT_TEMPLATE_PATH: Final = f"/etc/pointsman/engine/{CHAT_TEMPLATE}"
REPOSITORY: Final = "/etc/pointsman/models"
_CONFIGURATION = "config.pbtxt"
_MODEL = "model.json"


def _source(name: str) -> str:
    return (resources.files("pointsman.workloads") / "templates" / name).read_text("utf-8")


# A missing value is a mistake of ours, never an empty place in a file.
_TEMPLATES = Environment(
    loader=FunctionLoader(_source),
    undefined=StrictUndefined,
    autoescape=False,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def contents(
    deployment: ModelDeployment,
    pool: Pool,
    placement: Placement,
    values: Mapping[LaunchValue, tuple[str, ...]],
) -> dict[str, str]:
    """File name -> text, for the ConfigMap; `values` are those of the engine's start."""
    engine = deployment.spec.engine
    found: dict[str, str] = {}
    if engine is None:
        return found
    if engine.chat_template:
        found[CHAT_TEMPLATE] = engine.chat_template
    if engine.name is EngineName.TRITON:
        name = deployment.served_names[0]
        found[_CONFIGURATION] = _TEMPLATES.get_template("config.pbtxt.jinja").render(name=name)
        model = _triton_model(pool, placement, values)
        found[_model_key(pool.name)] = json.dumps(model, indent=2, sort_keys=True) + "\n"
    return found


def _model_key(pool: str) -> str:
    """All pools have one ConfigMap, and a file each of how their engine is spread."""
    return _MODEL if pool == DEFAULT_POOL else f"{pool}.{_MODEL}"


def _is_model(key: str) -> bool:
    return key == _MODEL or key.endswith(f".{_MODEL}")


def _triton_model(
    pool: Pool, placement: Placement, values: Mapping[LaunchValue, tuple[str, ...]]
) -> dict[str, Any]:
    """Arguments of vLLM's engine, which Triton's back end reads from a file."""
    model: dict[str, Any] = {"model": values[LaunchValue.WEIGHTS][0], "disable_log_stats": False}
    if pool.accelerator:
        model["gpu_memory_utilization"] = float(values[LaunchValue.MEMORY_SHARE][0])
        model["tensor_parallel_size"] = pool.tensor
        model["pipeline_parallel_size"] = pool.pipeline
    if placement.context_length:
        model["max_model_len"] = placement.context_length
    if pool.max_concurrency:
        model["max_num_seqs"] = pool.max_concurrency
    if placement.half_precision:
        model["dtype"] = "half"
    return model


def volumes(config_map: str, files: Mapping[str, str], served_name: str) -> list[dict[str, Any]]:
    """One ConfigMap volume for all files; Triton's lie where its repository has them."""
    if not files:
        return []
    items = []
    if CHAT_TEMPLATE in files:
        items.append({"key": CHAT_TEMPLATE, "path": f"engine/{CHAT_TEMPLATE}"})
    if _CONFIGURATION in files:
        items.append({"key": _CONFIGURATION, "path": f"models/{served_name}/{_CONFIGURATION}"})
        items += [{"key": key, "path": f"models/{served_name}/1/{_MODEL}"} for key in files if _is_model(key)]
    return [{"name": VOLUME, "configMap": {"name": config_map, "items": items}}]


def digest(files: Mapping[str, str]) -> str:
    """Changes with the content: pods that read other files are other pods."""
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()[:12]


def mounts(files: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": VOLUME, "mountPath": "/etc/pointsman", "readOnly": True}] if files else []
