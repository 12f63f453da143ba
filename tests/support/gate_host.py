"""Runs the first-token gate as Envoy would: the host side of proxy-wasm, as far as the gate asks for it."""

from dataclasses import dataclass, field
from functools import cache
from typing import cast

from wasmtime import Engine, Func, FuncType, Instance, Linker, Memory, Module, Store, ValType

from pointsman.routing.gate import compiled

_OK, _NOT_FOUND = 0, 1
_RESPONSE_BODY, _RESPONSE_HEADERS = 1, 2


@dataclass
class Answer:
    """A response on its way through the gate: what is still held, and what has gone on."""

    headers: dict[str, str]
    held: bytes = b""
    headers_gone: bool = False
    body: bytes = field(default=b"")


class GateHost:
    """One instance of the filter, as a worker has it, with any number of responses by context number."""

    def __init__(self) -> None:
        engine, module = _module()
        self._store = Store(engine)
        linker = Linker(engine)
        for name, function, arguments in (
            ("proxy_get_buffer_bytes", self._get_buffer, 5),
            ("proxy_get_header_map_value", self._get_header, 5),
            ("proxy_replace_header_map_value", self._replace_header, 5),
        ):
            kind = FuncType([ValType.i32()] * arguments, [ValType.i32()])
            linker.define(self._store, "env", name, Func(self._store, kind, function))
        self._instance: Instance = linker.instantiate(self._store, module)
        self._memory = cast(Memory, self._instance.exports(self._store)["memory"])
        self.answers: dict[int, Answer] = {}
        self._current = Answer({})

    def begin(self, context: int, headers: dict[str, str], *, end: bool = False) -> Answer:
        """The headers of a response arrive; `end`: and nothing else."""
        answer = self.answers[context] = self._current = Answer(dict(headers))
        if not self._call("proxy_on_response_headers", context, len(headers), int(end)):
            answer.headers_gone = True
        return answer

    def body(self, context: int, chunk: bytes, *, end: bool = False) -> Answer:
        """A part of its body arrives."""
        answer = self._current = self.answers[context]
        answer.held += chunk
        if not self._call("proxy_on_response_body", context, len(answer.held), int(end)):
            answer.headers_gone = True
            answer.body += answer.held
            answer.held = b""
        return answer

    def _call(self, name: str, *arguments: int) -> int:
        function = cast(Func, self._instance.exports(self._store)[name])
        return cast(int, function(self._store, *arguments))

    def _hand_over(self, value: bytes, at_pointer: int, at_size: int) -> int:
        pointer = self._call("malloc", len(value))
        self._memory.write(self._store, value, pointer)
        self._memory.write(self._store, pointer.to_bytes(4, "little"), at_pointer)
        self._memory.write(self._store, len(value).to_bytes(4, "little"), at_size)
        return _OK

    def _text(self, pointer: int, size: int) -> str:
        return bytes(self._memory.read(self._store, pointer, pointer + size)).decode()

    def _get_buffer(self, kind: int, start: int, most: int, at_pointer: int, at_size: int) -> int:
        assert kind == _RESPONSE_BODY
        return self._hand_over(self._current.held[start : start + most], at_pointer, at_size)

    def _get_header(self, kind: int, pointer: int, size: int, at_pointer: int, at_size: int) -> int:
        assert kind == _RESPONSE_HEADERS
        value = self._current.headers.get(self._text(pointer, size))
        return _NOT_FOUND if value is None else self._hand_over(value.encode(), at_pointer, at_size)

    def _replace_header(self, kind: int, pointer: int, size: int, value: int, value_size: int) -> int:
        assert kind == _RESPONSE_HEADERS
        assert not self._current.headers_gone, "these headers have gone"
        self._current.headers[self._text(pointer, size)] = self._text(value, value_size)
        return _OK


@cache
def _module() -> tuple[Engine, Module]:
    engine = Engine()
    return engine, Module(engine, compiled())
