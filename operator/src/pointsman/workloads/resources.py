"""What a pod asks its node for: devices, cores and main memory."""

import math
from typing import Any

_MEBIBYTE = 2**20
# vLLM and its kin run an API server, an engine core and one process a device, each of which spins.
_CORES_BESIDE_DEVICES = 2
# Each process of a device holds the runtime's libraries and its pinned buffers; weights are mapped, and pages
# of a mapped file can be taken back.
_GIBIBYTES_BESIDE_DEVICES = 4
_GIBIBYTES_A_DEVICE = 4
# On CPUs everything lies in main memory, and buffers beside it.
_CPU_BUFFER_BYTES = 512 * _MEBIBYTE
_CPU_CORES = 1


def memory_quantity(mebibytes: int) -> str:
    """As the API server writes it back, so that nothing seems to have changed."""
    return f"{mebibytes // 1024}Gi" if mebibytes % 1024 == 0 else f"{mebibytes}Mi"


def engine_resources(resource: str, devices: int, memory_bytes: int) -> dict[str, Any]:
    """Requests and limits of the engine's container. Only devices are limited: a limit of cores slows the
    tail, and one of memory counts the pages of the weights.
    """
    if not devices:
        mebibytes = math.ceil((memory_bytes + _CPU_BUFFER_BYTES) / _MEBIBYTE)
        return {"requests": {"cpu": str(_CPU_CORES), "memory": memory_quantity(mebibytes)}}
    return {
        "requests": {
            "cpu": str(_CORES_BESIDE_DEVICES + devices),
            "memory": f"{_GIBIBYTES_BESIDE_DEVICES + _GIBIBYTES_A_DEVICE * devices}Gi",
            resource: str(devices),
        },
        "limits": {resource: str(devices)},
    }
