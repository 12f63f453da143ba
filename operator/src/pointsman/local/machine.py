"""What this machine has to give: cores and memory, as far as this process may use them."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Physical cores in this process's affinity mask, no more than the cgroup's CPU quota; at least 1.

    Hardware threads of one core count once: matrix products gain nothing from the second.
    """
    allowed = os.sched_getaffinity(0)
    siblings = {_siblings(cpu) for cpu in allowed}
    quota = _cpu_quota()
    return max(1, len(siblings) if quota is None else min(len(siblings), int(quota)))


def _siblings(cpu: int) -> str:
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


def _cpu_quota() -> float | None:
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def available_memory_bytes() -> int:
    """MemAvailable of the kernel, no more than what the cgroup leaves."""
    available = _meminfo("MemAvailable")
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        if limit != "max":
            available = min(available, max(0, int(limit) - _unreclaimable_bytes()))
    except (OSError, ValueError):
        return available
    return available


def _unreclaimable_bytes() -> int:
    """What the cgroup holds beyond file pages that the kernel may drop."""
    used = int((_CGROUP / "memory.current").read_text())
    for line in (_CGROUP / "memory.stat").read_text().splitlines():
        if line.startswith("inactive_file "):
            return used - int(line.split()[1])
    return used


def _meminfo(field: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0]) * 1024
    return 0
