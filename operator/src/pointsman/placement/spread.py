"""Over how many devices a model can be spread: what divides what, and what the devices' links allow."""

from dataclasses import dataclass

from pointsman.api import EngineName, Quantization
from pointsman.api.hardware import Hardware, Parallelism
from pointsman.placement.devices import Device
from pointsman.placement.shape import ModelShape

# Weights that share one scale: 128 of a row in block-wise fp8, and in the usual AWQ and GPTQ files.
QUANTIZATION_BLOCK = 128
_BLOCKED = {Quantization.FP8, Quantization.AWQ, Quantization.GPTQ}

_SPREAD_OVER_NODES = {EngineName.VLLM, EngineName.SGLANG}
ONE_DEVICE = {EngineName.TEI}

# Groups that placement tries by itself; engines' kernels and nodes are made for powers of two.
USUAL_GROUPS = (1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True)
class Spread:
    """Devices of one replica: `tensor` in a group, `pipeline` groups in a row, over `nodes` nodes."""

    tensor: int
    pipeline: int
    nodes: int

    @property
    def devices(self) -> int:
        return self.tensor * self.pipeline


def spread_of(hardware: Hardware, devices: int) -> Spread | None:
    """So many devices of a replica shared out as the deployment says; None where that is another number."""
    stated = hardware.parallelism or Parallelism()
    pipeline = stated.pipeline or (devices // stated.tensor if stated.tensor else hardware.nodes)
    tensor = stated.tensor or (devices // pipeline if pipeline else 0)
    return Spread(tensor, pipeline, hardware.nodes) if tensor * pipeline == devices and devices else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not, what to do, and the YAML path below spec that says so."""

    what: str
    todo: str
    field: str


def tensor_refusal(shape: ModelShape, tensor: int, engine: EngineName) -> Refusal | None:
    """Why the model cannot be split into so many parts, whatever the devices."""
    field = "hardware.parallelism.tensor"
    if engine in ONE_DEVICE and tensor > 1:
        return Refusal(f"{engine} runs on one accelerator", "use 1", field)
    problem = _indivisible(shape, tensor)
    if problem is None:
        return None
    return Refusal(f"{tensor} {problem}", _nearest(shape, tensor), field)


def _indivisible(shape: ModelShape, tensor: int) -> str | None:
    kv_heads, heads = shape.kv_heads, shape.heads
    if kv_heads is not None and (kv_heads % tensor if tensor <= kv_heads else tensor % kv_heads):
        if tensor < kv_heads:
            return f"does not divide the model's {kv_heads} key-value heads"
        return f"is no multiple of the model's {kv_heads} key-value heads"
    if heads is not None and heads % tensor:
        return f"does not divide the model's {heads} attention heads"
    if shape.mixture is not None and shape.whole_experts:
        uneven = shape.mixture.count % tensor
        return f"does not divide the model's {shape.mixture.count} experts" if uneven else None
    if shape.quantization in _BLOCKED:
        width = shape.mixture.intermediate_size if shape.mixture else shape.intermediate_size
        if width is not None and tensor > 1 and (width % tensor or (width // tensor) % QUANTIZATION_BLOCK):
            part = f"{width / tensor:.4g}"
            return (
                f"splits the {'experts' if shape.mixture else 'layers'}' {width} columns into {part}, "
                f"which is no multiple of the {QUANTIZATION_BLOCK} that share a scale in {shape.quantization}"
            )
    return None


def _nearest(shape: ModelShape, tensor: int) -> str:
    below = next((n for n in range(tensor - 1, 0, -1) if _indivisible(shape, n) is None), None)
    above = next((n for n in range(tensor + 1, 4 * tensor + 1) if _indivisible(shape, n) is None), None)
    return "use " + " or ".join(str(n) for n in (below, above) if n is not None)


def device_refusal(spread: Spread, device: Device, engine: EngineName) -> Refusal | None:
    """Why this spread does not go with the device: slices, links, nodes."""
    field = "hardware.parallelism.tensor"
    if device.is_slice and spread.devices > 1:
        return Refusal(
            f"{device.name} is a slice of a device and has no link to another",
            "use one slice, or whole devices",
            field,
        )
    if spread.tensor > device.linked:
        links = "one link" if device.linked == 2 else "fast links"
        return Refusal(
            f"{spread.tensor} × {device.name} are not joined by {links}: at most {device.linked} are",
            f"use tensor {device.linked}, or pipeline for the rest",
            field,
        )
    if spread.nodes > 1 and engine not in _SPREAD_OVER_NODES:
        return Refusal(f"{engine} runs on one node", "use nodes: 1", "hardware.nodes")
    if spread.devices % spread.nodes:
        return Refusal(
            f"{spread.devices} accelerators cannot be shared evenly by {spread.nodes} nodes",
            f"use a multiple of {spread.nodes}, or fewer nodes",
            "hardware.nodes",
        )
    on_one = spread.devices // spread.nodes
    if on_one > device.per_node:
        more = -(-spread.devices // device.per_node)
        return Refusal(
            f"{on_one} × {device.name} are asked of one node, which has {device.per_node}",
            f"use at most {device.per_node}"
            + (f", or nodes: {more}" if engine in _SPREAD_OVER_NODES else ""),
            "hardware.nodes" if spread.nodes > 1 else field,
        )
    if spread.nodes > 1 and spread.tensor > on_one and device.linked <= device.per_node:
        return Refusal(
            f"a tensor-parallel group of {spread.tensor} would span nodes of {on_one}",
            f"use tensor {on_one} and pipeline {spread.devices // on_one}",
            field,
        )
    return None
