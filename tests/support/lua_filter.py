"""Runs a script of `pointsman.routing.lua` as Envoy's Lua filter does, on LuaJIT, over streams of plain data.

Only what our scripts use of Envoy's API is there, and a script that uses more fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from lupa import luajit21

Value = str | bytes | int | float | bool | dict[str, Any]

_API = """
local function buffer(read, write)
  return {
    length = function() return #read() end,
    getBytes = function(_, from, count)
      assert(from >= 0 and count >= 0 and from + count <= #read(), "outside of the buffer")
      return read():sub(from + 1, from + count)
    end,
    setBytes = function(_, text) write(text) return #text end,
  }
end

function handle_of(state)
  local headers = {
    get = function(_, name) return state.headers[name] end,
    remove = function(_, name) state.headers[name] = nil end,
    replace = function(_, name, value)
      assert(type(value) == "string", "a header's value is a string")
      state.headers[name] = value
    end,
  }
  local metadata = {
    get = function(_, space) return state.metadata[space] end,
    set = function(_, space, key, value)
      state.metadata[space] = state.metadata[space] or {}
      state.metadata[space][key] = value
    end,
  }
  return {
    headers = function() return headers end,
    streamInfo = function() return { dynamicMetadata = function() return metadata end } end,
    filterContext = function() return { get = function(_, key) return state.context[key] end } end,
    body = function()
      if state.body == nil then return nil end
      return buffer(function() return state.body end, function(text) state.body = text end)
    end,
    bodyChunks = function()
      local i = 0
      return function()
        i = i + 1
        if state.chunks[i] == nil then return nil end
        local at = i
        return buffer(function() return state.chunks[at] end, function(text) state.chunks[at] = text end)
      end
    end,
  }
end
"""


@dataclass
class Stream:
    """One request or response for a script; `body` is what it gets by waiting, `chunks` by watching."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    chunks: list[bytes] = field(default_factory=list)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    context: dict[str, Value] = field(default_factory=dict)


class LuaFilter:
    """A script, loaded once, as in a worker of Envoy."""

    def __init__(self, script: str) -> None:
        self._lua: Any = luajit21.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        self._lua.execute(_API.encode())
        self._lua.execute(files("pointsman.routing.lua").joinpath(script).read_bytes())

    def on_request(self, stream: Stream) -> Stream:
        """The stream after the script has seen a request."""
        return self._run(b"envoy_on_request", stream)

    def on_response(self, stream: Stream) -> Stream:
        """The stream after the script has seen a response."""
        return self._run(b"envoy_on_response", stream)

    def _run(self, function: bytes, stream: Stream) -> Stream:
        state = self._table(
            {
                "headers": stream.headers,
                "metadata": stream.metadata,
                "context": stream.context,
                "chunks": {},
            }
        )
        state[b"body"] = stream.body
        for index, chunk in enumerate(stream.chunks, start=1):
            state[b"chunks"][index] = chunk
        names = self._lua.globals()
        names[function](names[b"handle_of"](state))
        headers = {name.decode(): value.decode("latin-1") for name, value in state[b"headers"].items()}
        chunks = [state[b"chunks"][n + 1] for n in range(len(stream.chunks))]
        return Stream(headers, state[b"body"], chunks, _dict(state[b"metadata"]), stream.context)

    def _table(self, values: dict[str, Any]) -> Any:
        table = self._lua.table()
        for key, value in values.items():
            if isinstance(value, dict):
                table[key.encode()] = self._table(value)
            else:
                table[key.encode()] = value.encode() if isinstance(value, str) else value
        return table


def _dict(table: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if hasattr(value, "items"):
            found[key.decode()] = _dict(value)
        else:
            found[key.decode()] = value.decode() if isinstance(value, bytes) else value
    return found
