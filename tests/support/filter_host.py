"""A stand-in for Envoy around one of our filters: headers, bodies and properties as proxy-wasm has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from wasmtime import Engine, Func, FuncType, Instance, Linker, Memory, Module, Store, ValType

CONTINUE, STOP = 0, 1
_OK, _NOT_FOUND, _BAD_ARGUMENT = 0, 1, 2
_REQUEST_HEADERS, _RESPONSE_HEADERS = 0, 2
_REQUEST_BODY, _RESPONSE_BODY = 0, 1


@cache
def _module(name: str) -> Module:
    code = files("pointsman.routing.filters").joinpath(f"{name}.wasm").read_bytes()
    return Module(_engine(), code)


@cache
def _engine() -> Engine:
    return Engine()


@dataclass
class Stream:
    """What Envoy holds of one stream."""

    request: dict[str, str] = field(default_factory=dict)
    response: dict[str, str] = field(default_factory=dict)
    request_body: bytes = b""
    response_body: bytes = b""
    properties: dict[str, str] = field(default_factory=dict)


class FilterHost:
    """One virtual machine with one filter in it; `stream` is the one that is being called for."""

    def __init__(self, name: str) -> None:
        self._store = Store(_engine())
        linker = Linker(_engine())
        i32 = ValType.i32()
        for function, arity in (
            (self.proxy_get_header_map_value, 5),
            (self.proxy_replace_header_map_value, 5),
            (self.proxy_remove_header_map_value, 3),
            (self.proxy_get_buffer_bytes, 5),
            (self.proxy_get_buffer_status, 3),
            (self.proxy_set_buffer_bytes, 5),
            (self.proxy_get_property, 4),
            (self.proxy_set_property, 4),
        ):
            kind = FuncType([i32] * arity, [i32])
            linker.define_func("env", function.__name__, kind, function)
        self._exports: Instance = linker.instantiate(self._store, _module(name))
        self.stream = Stream()

    def call(self, export: str, *arguments: int) -> int:
        """Call the filter, as Envoy does."""
        function = self._exports.exports(self._store)[export]
        assert isinstance(function, Func)
        result = function(self._store, *arguments)
        return int(result) if result is not None else 0

    def has(self, export: str) -> bool:
        return export in self._exports.exports(self._store)

    @property
    def memory_bytes(self) -> int:
        return self._memory().data_len(self._store)

    def send(
        self, stream: Stream, pieces: Iterable[bytes], number: int = 1, *, trailers: bool = False
    ) -> None:
        """A request, its body in pieces, held until it is whole. HTTP/2 may end it with trailers."""
        self.stream = stream
        waiting = list(pieces)
        end = not waiting and not trailers
        assert self.call("proxy_on_request_headers", number, 0, int(end)) == (CONTINUE if end else STOP)
        for index, piece in enumerate(waiting):
            stream.request_body += piece
            end = index == len(waiting) - 1 and not trailers
            said = self.call("proxy_on_request_body", number, len(stream.request_body), int(end))
            assert said == (CONTINUE if end else STOP)
        if trailers:
            assert self.call("proxy_on_request_trailers", number, 1) == CONTINUE

    def answer(self, stream: Stream, pieces: Iterable[bytes], number: int = 1) -> list[bytes]:
        """An answer, in pieces: what was passed on, piece by piece. The last piece ends it."""
        self.stream = stream
        waiting = list(pieces)
        self.call("proxy_on_response_headers", number, 0, int(not waiting))
        passed = []
        for index, piece in enumerate(waiting):
            stream.response_body += piece
            end = int(index == len(waiting) - 1)
            if self.call("proxy_on_response_body", number, len(stream.response_body), end) == CONTINUE:
                passed.append(stream.response_body)
                stream.response_body = b""
        return passed

    def proxy_get_header_map_value(self, kind: int, name: int, length: int, at: int, size: int) -> int:
        value = self._headers(kind).get(self._text(name, length))
        return _NOT_FOUND if value is None else self._hand_over(value.encode("latin-1"), at, size)

    def proxy_replace_header_map_value(self, kind: int, name: int, length: int, at: int, size: int) -> int:
        self._headers(kind)[self._text(name, length)] = self._bytes(at, size).decode("latin-1")
        return _OK

    def proxy_remove_header_map_value(self, kind: int, name: int, length: int) -> int:
        self._headers(kind).pop(self._text(name, length), None)
        return _OK

    def proxy_get_buffer_bytes(self, kind: int, start: int, length: int, at: int, size: int) -> int:
        body = self.stream.request_body if kind == _REQUEST_BODY else self.stream.response_body
        return self._hand_over(body[start : start + length], at, size)

    def proxy_get_buffer_status(self, kind: int, size: int, flags: int) -> int:
        body = self.stream.request_body if kind == _REQUEST_BODY else self.stream.response_body
        for at, value in ((size, len(body)), (flags, 0)):
            self._memory().write(self._store, value.to_bytes(4, "little"), at)
        return _OK

    def proxy_set_buffer_bytes(self, kind: int, start: int, length: int, at: int, size: int) -> int:
        """As Envoy's buffer: what is replaced stands at the beginning, or the bytes go to the end."""
        new = self._bytes(at, size)
        body = self.stream.request_body if kind == _REQUEST_BODY else self.stream.response_body
        start &= 0xFFFFFFFF
        if start == 0:
            body = new + body[length:]
        elif start >= len(body):
            body += new
        else:
            return _BAD_ARGUMENT
        if kind == _REQUEST_BODY:
            self.stream.request_body = body
        else:
            self.stream.response_body = body
        return _OK

    def proxy_get_property(self, name: int, length: int, at: int, size: int) -> int:
        value = self.stream.properties.get(self._text(name, length))
        return _NOT_FOUND if value is None else self._hand_over(value.encode("latin-1"), at, size)

    def proxy_set_property(self, name: int, length: int, at: int, size: int) -> int:
        self.stream.properties[self._text(name, length)] = self._bytes(at, size).decode("latin-1")
        return _OK

    def _headers(self, kind: int) -> dict[str, str]:
        return self.stream.request if kind == _REQUEST_HEADERS else self.stream.response

    def _memory(self) -> Memory:
        memory = self._exports.exports(self._store)["memory"]
        assert isinstance(memory, Memory)
        return memory

    def _bytes(self, at: int, size: int) -> bytes:
        return bytes(self._memory().read(self._store, at, at + size))

    def _text(self, at: int, size: int) -> str:
        return self._bytes(at, size).decode("latin-1")

    def _hand_over(self, value: bytes, at: int, size: int) -> int:
        place = self.call("malloc", len(value))
        assert place != 0, "more than the ring holds"
        memory = self._memory()
        memory.write(self._store, value, place)
        memory.write(self._store, place.to_bytes(4, "little"), at)
        memory.write(self._store, len(value).to_bytes(4, "little"), size)
        return _OK
