"""In which precision a device computes a model, and what it cannot compute at all."""

from dataclasses import dataclass, replace
from typing import Literal

from pointsman.api import EngineName, Quantization
from pointsman.placement.devices import Device
from pointsman.placement.shape import ModelShape

Compute = Literal["bf16", "fp8", "fp4", "int8"]

# Compute capabilities of NVIDIA: where units for bf16, fp8 and fp4 begin, and the oldest that kernels for
# quantised weights take (docs.vllm.ai on quantisation; quantization/{modelopt,mxfp4}.py of vLLM 0.33).
_BF16 = 8.0
_FP8 = 8.9
_FP4 = 10.0
_FOUR_BIT_WEIGHTS = 7.5
_FP8_WEIGHTS = 7.5
_FP4_WEIGHTS = 8.0
# The oldest device that an engine's image was built for.
_OLDEST: dict[EngineName, float] = {EngineName.VLLM: 7.5, EngineName.SGLANG: 8.0, EngineName.TRITON: 8.0}

# Engines that can shrink 16-bit weights while they load them.
_ONLINE: dict[EngineName, tuple[Quantization, ...]] = {
    EngineName.VLLM: (Quantization.FP8,),
    EngineName.SGLANG: (Quantization.FP8,),
}


@dataclass(frozen=True, slots=True)
class Precision:
    """What the model is computed in: the kind of unit, its peak, and the type to ask the engine for."""

    compute: Compute
    operations_per_second: float
    sixteen_bits: float
    """The peak in 16 bits, in which attention is computed."""
    half: bool = False
    """Computed in fp16 because the device has no bf16."""
    note: str = ""
    """What a person should know, as the end of a sentence; "" where all is as usual."""


@dataclass(frozen=True, slots=True)
class Cannot:
    """Why not, and what would help."""

    what: str
    todo: str


def precision_on(device: Device, shape: ModelShape, engine: EngineName) -> Precision | Cannot:
    """How this device computes the model under this engine."""
    capability = device.capability
    oldest = _OLDEST.get(engine)
    if capability is not None and oldest is not None and capability < oldest:
        return Cannot(
            f"{engine} needs compute capability {oldest}, {device.name} has {device.architecture}",
            "use a later accelerator",
        )
    sixteen = _sixteen_bits(device, shape)
    if isinstance(sixteen, Cannot):
        return sixteen
    match shape.quantization:
        case Quantization.NONE | Quantization.GGUF:
            return sixteen
        case Quantization.FP8:
            return _fp8(device, engine, sixteen)
        case Quantization.INT8:
            return _int8(device, sixteen)
        case Quantization.AWQ | Quantization.GPTQ:
            return _weights_only(device, shape.quantization, _FOUR_BIT_WEIGHTS, sixteen)
        case Quantization.NVFP4 | Quantization.MXFP4:
            return _fp4(device, shape.quantization, sixteen)


def cannot_become(shape: ModelShape, engine: EngineName) -> Cannot | None:
    """Why the weights at the source cannot be served in the quantisation that is asked for."""
    asked, native = shape.quantization, shape.native
    if native is None or asked == native or asked in _ONLINE.get(engine, ()):
        return None
    if asked == Quantization.NONE:
        return Cannot(f"the weights at the source are {native}", f"remove quantization or write {native}")
    return Cannot(
        f"the weights at the source are {_words(native)} and {engine} does not make {asked} of them",
        f"name a source that holds {asked} weights, or remove quantization",
    )


def _words(quantization: Quantization) -> str:
    return "not quantised" if quantization == Quantization.NONE else quantization.value


def _sixteen_bits(device: Device, shape: ModelShape) -> Precision | Cannot:
    if device.bf16 and (device.capability is None or device.capability >= _BF16):
        return Precision("bf16", device.bf16, device.bf16)
    if shape.overflows_in_fp16:
        return Cannot(
            f"{device.name} has no bf16 and {shape.name} overflows in fp16", "use a later accelerator"
        )
    return Precision(
        "bf16", device.fp16, device.fp16, half=True, note=f"in fp16, as {device.name} has no bf16"
    )


def _fp8(device: Device, engine: EngineName, sixteen: Precision) -> Precision | Cannot:
    if device.fp8 and (device.capability is None or device.capability >= _FP8):
        return Precision("fp8", device.fp8, sixteen.sixteen_bits)
    # vLLM's kernels unpack 8-bit weights to 16 bits on older devices: less memory, not more speed.
    if engine == EngineName.VLLM:
        return _weights_only(device, Quantization.FP8, _FP8_WEIGHTS, sixteen)
    return Cannot(
        f"fp8 needs compute capability {_FP8} under {engine}, {device.name} has {device.architecture}",
        "use a later accelerator, or another quantisation",
    )


def _int8(device: Device, sixteen: Precision) -> Precision | Cannot:
    if not device.int8:
        return Cannot(f"how fast {device.name} computes int8 is not known", "use fp8")
    if device.int8 >= sixteen.operations_per_second:
        return replace(sixteen, compute="int8", operations_per_second=device.int8)
    return Cannot(f"{device.name} computes int8 slower than 16 bits", "use fp8")


def _fp4(device: Device, quantization: Quantization, sixteen: Precision) -> Precision | Cannot:
    if quantization == Quantization.NVFP4 and device.vendor not in ("nvidia", ""):
        return Cannot(
            f"{device.name} does not compute NVIDIA's nvfp4", "use mxfp4, fp8 or another accelerator"
        )
    if device.fp4 and (device.capability is None or device.capability >= _FP4):
        return Precision("fp4", device.fp4, sixteen.sixteen_bits)
    return _weights_only(device, quantization, _FP4_WEIGHTS, sixteen)


def _weights_only(
    device: Device, quantization: Quantization, oldest: float, sixteen: Precision
) -> Precision | Cannot:
    if device.capability is not None and device.capability < oldest:
        return Cannot(
            f"{quantization} needs compute capability {oldest}, {device.name} has {device.architecture}",
            "use a later accelerator, or another quantisation",
        )
    compute: Compute = "fp4" if quantization in (Quantization.NVFP4, Quantization.MXFP4) else "bf16"
    note = sixteen.note or "computed in 16 bits"
    return replace(sixteen, compute=compute, note=note)
