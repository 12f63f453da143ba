"""A stand-in for Envoy around our filters: headers, bodies and filter state as its dynamic modules have them.

What the filters are handed ends where a page of memory ends behind which nothing may be read, and is gone
when the call returns: a byte too far, or a pointer kept too long, ends the test run.
"""

from __future__ import annotations

import ctypes
import itertools
import mmap
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from ctypes import CFUNCTYPE, POINTER, c_bool, c_int, c_size_t, c_void_p
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from pointsman.routing.filters import ATTEMPT, REQUEST, module_path

CONTINUE, STOP, STOP_AND_DROP = 0, 1, 3
_REQUEST_HEADERS, _RESPONSE_HEADERS = 0, 2
_REQUEST, _RESPONSE = 0, 2  # the received body of each; the buffered one is the next number
LARGEST_BODY = 64 << 20


class _Bytes(ctypes.Structure):
    _fields_ = (("at", c_void_p), ("length", c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (("name", _Bytes), ("value", _Bytes))


_STREAMS: WeakValueDictionary[int, Stream] = WeakValueDictionary()
_NUMBERS = itertools.count(1)


@dataclass
class Stream:
    """What Envoy holds of one stream. `state` is what the metrics see, once the request has ended."""

    request: dict[str, str] = field(default_factory=dict)
    response: dict[str, str] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)
    told: bytes | None = None
    reply: int | None = None
    buffer_limit: int | None = None
    route_is_cleared: bool = False
    pieces_shown: int = 0
    bodies: dict[int, list[bytes]] = field(default_factory=lambda: {number: [] for number in range(4)})
    request_body: bytes = b""
    number: int = field(default_factory=lambda: next(_NUMBERS))

    def __post_init__(self) -> None:
        _STREAMS[self.number] = self

    def headers(self, kind: int) -> dict[str, str]:
        return self.request if kind == _REQUEST_HEADERS else self.response


class _Pages:
    """Bytes that end where their page does, until `clear`."""

    _libc = ctypes.CDLL(None, use_errno=True)
    _libc.mmap.restype = c_void_p
    _libc.mmap.argtypes = (c_void_p, c_size_t, c_int, c_int, c_int, c_size_t)
    _libc.mprotect.argtypes = (c_void_p, c_size_t, c_int)
    _libc.munmap.argtypes = (c_void_p, c_size_t)

    def __init__(self) -> None:
        self._mapped: list[tuple[int, int]] = []

    def take(self, value: bytes) -> int:
        page = mmap.PAGESIZE
        usable = -(-max(len(value), 1) // page) * page
        at = self._libc.mmap(
            None,
            usable + page,
            mmap.PROT_READ | mmap.PROT_WRITE,
            mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
            -1,
            0,
        )
        self._libc.mprotect(at + usable, page, 0)
        ctypes.memmove(at + usable - len(value), value, len(value))
        self._mapped.append((at, usable + page))
        return int(at + usable - len(value))

    def clear(self) -> None:
        for at, size in self._mapped:
            self._libc.munmap(at, size)
        self._mapped.clear()


_PAGES = _Pages()


def _text(at: int, length: int) -> str:
    return ctypes.string_at(at, length).decode("latin-1")


def _give(value: bytes, into: Any) -> None:
    into.at, into.length = _PAGES.take(value), len(value)


def _get_header(stream: int, kind: int, name: int, length: int, value: Any) -> bool:
    found = _STREAMS[stream].headers(kind).get(_text(name, length))
    if found is None:
        return False
    _give(found.encode("latin-1"), value.contents)
    return True


def _get_headers(stream: int, kind: int, into: Any) -> None:
    for index, (name, value) in enumerate(_STREAMS[stream].headers(kind).items()):
        _give(name.encode("latin-1"), into[index].name)
        _give(value.encode("latin-1"), into[index].value)


def _set_header(stream: int, kind: int, name: int, length: int, value: int | None, size: int) -> None:
    headers = _STREAMS[stream].headers(kind)
    if value is None:
        headers.pop(_text(name, length), None)
    else:
        headers[_text(name, length)] = _text(value, size)


def _get_pieces(stream: int, body: int, into: Any) -> None:
    for index, piece in enumerate(_STREAMS[stream].bodies[body]):
        _give(piece, into[index])
    _STREAMS[stream].pieces_shown += len(_STREAMS[stream].bodies[body])


def _append(stream: int, body: int, at: int, length: int) -> None:
    _STREAMS[stream].bodies[body].append(ctypes.string_at(at, length))


def _drain(stream: int, body: int, count: int) -> None:
    pieces = _STREAMS[stream].bodies[body]
    while count and pieces:
        gone = min(count, len(pieces[0]))
        count -= gone
        pieces[0] = pieces[0][gone:]
        if not pieces[0]:
            del pieces[0]


def _set_state(stream: int, name: int, length: int, value: int, size: int) -> None:
    """Once a name, as Envoy has it for what modules write."""
    key, given = _text(name, length), ctypes.string_at(value, size)
    if key == "pm.told":
        assert _STREAMS[stream].told is None
        _STREAMS[stream].told = given
    else:
        assert key not in _STREAMS[stream].state
        _STREAMS[stream].state[key] = given.decode("latin-1")


def _get_state(stream: int, name: int, length: int, value: Any) -> bool:
    told = _STREAMS[stream].told
    if _text(name, length) != "pm.told" or told is None:
        return False
    _give(told, value.contents)
    return True


def _clear_route(stream: int) -> None:
    _STREAMS[stream].route_is_cleared = True


def _set_limit(stream: int, limit: int) -> None:
    _STREAMS[stream].buffer_limit = limit


def _reply(stream: int, status: int) -> None:
    _STREAMS[stream].reply = status


_TABLE = (
    CFUNCTYPE(c_bool, c_size_t, c_int, c_void_p, c_size_t, POINTER(_Bytes))(_get_header),
    CFUNCTYPE(c_size_t, c_size_t, c_int)(lambda stream, kind: len(_STREAMS[stream].headers(kind))),
    CFUNCTYPE(None, c_size_t, c_int, POINTER(_Header))(_get_headers),
    CFUNCTYPE(None, c_size_t, c_int, c_void_p, c_size_t, c_void_p, c_size_t)(_set_header),
    CFUNCTYPE(c_size_t, c_size_t, c_int)(lambda stream, body: sum(map(len, _STREAMS[stream].bodies[body]))),
    CFUNCTYPE(c_size_t, c_size_t, c_int)(lambda stream, body: len(_STREAMS[stream].bodies[body])),
    CFUNCTYPE(None, c_size_t, c_int, POINTER(_Bytes))(_get_pieces),
    CFUNCTYPE(None, c_size_t, c_int, c_void_p, c_size_t)(_append),
    CFUNCTYPE(None, c_size_t, c_int, c_size_t)(_drain),
    CFUNCTYPE(c_bool, c_size_t, c_int)(lambda stream, body: False),
    CFUNCTYPE(None, c_size_t, c_void_p, c_size_t, c_void_p, c_size_t)(_set_state),
    CFUNCTYPE(c_bool, c_size_t, c_void_p, c_size_t, POINTER(_Bytes))(_get_state),
    CFUNCTYPE(None, c_size_t)(_clear_route),
    CFUNCTYPE(None, c_size_t, c_size_t)(_set_limit),
    CFUNCTYPE(None, c_size_t, c_int)(_reply),
)

_HOOKS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "config_new": (c_void_p, (c_void_p, _Bytes, _Bytes)),
    "config_destroy": (None, (c_void_p,)),
    "new": (c_void_p, (c_void_p, c_size_t)),
    "destroy": (None, (c_void_p,)),
    "request_headers": (c_int, (c_size_t, c_void_p, c_bool)),
    "request_body": (c_int, (c_size_t, c_void_p, c_bool)),
    "request_trailers": (c_int, (c_size_t, c_void_p)),
    "response_headers": (c_int, (c_size_t, c_void_p, c_bool)),
    "response_body": (c_int, (c_size_t, c_void_p, c_bool)),
    "response_trailers": (c_int, (c_size_t, c_void_p)),
    "stream_complete": (None, (c_size_t, c_void_p)),
}


@cache
def _module() -> ctypes.CDLL:
    """The module that is shipped, with the functions above in Envoy's place."""
    source = Path(__file__).with_name("envoy_callbacks.c")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, "callbacks.so")
        command = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O1", str(source)]
        subprocess.run([*command, "-o", str(built)], check=True)
        callbacks = ctypes.CDLL(str(built), mode=ctypes.RTLD_GLOBAL)
    table = (c_void_p * len(_TABLE)).in_dll(callbacks, "table")
    for index, function in enumerate(_TABLE):
        table[index] = ctypes.cast(function, c_void_p).value
    module = ctypes.CDLL(str(module_path(platform.machine())))
    for name, (result, arguments) in _HOOKS.items():
        hook = module[f"envoy_dynamic_module_on_http_filter_{name}"]
        hook.restype, hook.argtypes = result, arguments
        setattr(module, name, hook)
    return module


def _call(name: str, *arguments: Any) -> Any:
    try:
        return getattr(_module(), name)(*arguments)
    finally:
        _PAGES.clear()


def _keep(pieces: list[bytes], one: bytes) -> None:
    """Envoy puts a small piece behind the last one where there is room."""
    if pieces and len(one) <= 512 and len(pieces[-1]) + len(one) <= 16384:
        pieces[-1] += one
    else:
        pieces.append(one)


class Running:
    """One filter at one stream."""

    def __init__(self, config: int, stream: Stream) -> None:
        self.stream, self._number = stream, stream.number
        self._filter = _call("new", config, stream.number)

    def request_headers(self, *, end: bool) -> int:
        return int(_call("request_headers", self._number, self._filter, end))

    def request_body(self, piece: bytes, *, end: bool) -> int:
        return self._body("request_body", _REQUEST, piece, end)

    def request_trailers(self) -> int:
        return int(_call("request_trailers", self._number, self._filter))

    def response_headers(self, *, end: bool) -> int:
        return int(_call("response_headers", self._number, self._filter, end))

    def response_body(self, piece: bytes, *, end: bool) -> bytes | None:
        """What is passed on now; None where the filter waits for more."""
        if self._body("response_body", _RESPONSE, piece, end) != CONTINUE:
            return None
        return self.taken(_RESPONSE)

    def _body(self, hook: str, kind: int, piece: bytes, end: bool) -> int:
        """As Envoy's filter manager: what a filter stops is kept; the last piece joins what has been kept."""
        bodies = self.stream.bodies
        bodies[kind] = [piece] if piece else []
        if end and bodies[kind + 1] and piece:
            _keep(bodies[kind + 1], piece)
            bodies[kind] = []
        said = int(_call(hook, self._number, self._filter, end))
        for one in bodies[kind] if said != STOP_AND_DROP else ():
            _keep(bodies[kind + 1], one)
        bodies[kind] = []
        return said

    def taken(self, kind: int) -> bytes:
        """The body that has been kept, which goes on."""
        whole = b"".join(self.stream.bodies[kind + 1])
        self.stream.bodies[kind + 1] = []
        return whole

    def ended(self) -> None:
        """Envoy is about to write its metrics."""
        _call("stream_complete", self._number, self._filter)

    def close(self) -> None:
        _call("destroy", self._filter)


class FilterHost:
    """One configuration of a filter, and streams on their way through it."""

    def __init__(self, name: str, words: str) -> None:
        self._name = name
        given, said = name.encode(), words.encode()
        self._config = _call(
            "config_new", None, _Bytes(_PAGES.take(given), len(given)), _Bytes(_PAGES.take(said), len(said))
        )
        assert self._config, f"the filter {name} does not take {words!r}"

    def __del__(self) -> None:
        if self._config:
            _call("config_destroy", self._config)

    def at(self, stream: Stream) -> Running:
        """The filter begins with a stream. Filters of one stream know each other by it."""
        return Running(self._config, stream)

    def send(self, stream: Stream, pieces: Iterable[bytes], *, trailers: bool = False) -> Running:
        """A request, its body in pieces, held until it is whole. HTTP/2 may end it with trailers."""
        running = self.at(stream)
        waiting = list(pieces)
        end = not waiting and not trailers
        assert running.request_headers(end=end) == (CONTINUE if end else STOP)
        for index, piece in enumerate(waiting):
            end = index == len(waiting) - 1 and not trailers
            assert running.request_body(piece, end=end) == (CONTINUE if end else STOP)
        if trailers:
            assert running.request_trailers() == CONTINUE
        stream.request_body = running.taken(_REQUEST)
        return running


def answered(running: Running, pieces: Iterable[bytes]) -> list[bytes]:
    """An answer, in pieces: what was passed on, piece by piece. The last piece ends it."""
    waiting = list(pieces)
    running.response_headers(end=not waiting)
    passed = (
        running.response_body(piece, end=index == len(waiting) - 1) for index, piece in enumerate(waiting)
    )
    return [one for one in passed if one is not None]


def requests() -> FilterHost:
    """The filter of requests."""
    return FilterHost(REQUEST, f"{LARGEST_BODY} {LARGEST_BODY}")


def attempts(words: str) -> FilterHost:
    """The filter of attempts at a target of these words."""
    return FilterHost(ATTEMPT, words)
