"""Being an ordinary user for a moment, so that permissions of files hold for tests that root runs too."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# linux/capability.h: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, and version 3 of the structures.
_PASS_OVER_PERMISSIONS = 1 << 1 | 1 << 2
_VERSION = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """This thread may not pass over the permissions of files; for an ordinary user nothing changes."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(_VERSION, 0), (_Sets * 2)()
    assert libc.capget(ctypes.byref(header), sets) == 0
    before = sets[0].effective
    sets[0].effective &= ~_PASS_OVER_PERMISSIONS
    assert libc.capset(ctypes.byref(header), sets) == 0
    try:
        yield
    finally:
        sets[0].effective = before
        assert libc.capset(ctypes.byref(header), sets) == 0
