"""What a kubelet does to a running container from outside: HTTP requests, commands, connections.

Probes and lifecycle hooks are made of the same actions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.cluster.process_node.process import ContainerProcess
from tests.support.cluster.process_node.translation import Translation

_BODY_BYTES = 10 * 1024  # how much of an answer a kubelet reads


class ActionFailed(Exception):
    """The action's answer was no; the text is what a kubelet writes into its event."""


@dataclass(frozen=True)
class Inside:
    """A container from within: its address, ports by name, environment, and what a command is run as."""

    address: str
    ports: Mapping[str, int]
    environment: Mapping[str, str]
    translation: Translation
    folder: Path
    prefix: tuple[str, ...]
    session: aiohttp.ClientSession

    def command(self, words: Sequence[str]) -> list[str]:
        """What runs a command inside."""
        return [*self.prefix, *self.translation.texts(words)]


async def act(action: Mapping[str, Any], inside: Inside, timeout_seconds: float, *, log: Path) -> None:
    """One of httpGet, exec, tcpSocket, sleep. Raises ActionFailed, also when it takes too long."""
    try:
        async with asyncio.timeout(timeout_seconds):
            if "httpGet" in action:
                await _http_get(action["httpGet"], inside)
            elif "exec" in action:
                await _execute(action["exec"]["command"], inside, log)
            elif "tcpSocket" in action:
                await _connect(action["tcpSocket"], inside)
            elif "sleep" in action:
                await asyncio.sleep(action["sleep"]["seconds"])
            else:
                raise ActionFailed(f"the process node has no action {', '.join(action)}")
    except TimeoutError:
        raise ActionFailed(f"timed out after {timeout_seconds:g}s") from None


def port_number(port: int | str, ports: Mapping[str, int]) -> int:
    """A port by number, or by the container's name for it. Raises ActionFailed for an unknown name."""
    if isinstance(port, int):
        return port
    if port in ports:
        return ports[port]
    raise ActionFailed(f'couldn\'t find port: "{port}"')


async def _http_get(asked: Mapping[str, Any], inside: Inside) -> None:
    host = inside.translation.text(asked["host"]) if asked.get("host") else inside.address
    port = port_number(asked["port"], inside.ports)
    url = f"{asked.get('scheme', 'HTTP').lower()}://{host}:{port}{asked.get('path', '/')}"
    headers = {"User-Agent": "kube-probe/1.36", "Connection": "close"}
    headers |= {header["name"]: header["value"] for header in asked.get("httpHeaders", ())}
    try:
        # A kubelet does not check certificates of pods either.
        async with inside.session.get(url, headers=headers, ssl=False) as answer:
            body = await answer.content.read(_BODY_BYTES)
            if not 200 <= answer.status < 400:
                said = body.decode(errors="replace")
                raise ActionFailed(f"HTTP probe failed with statuscode: {answer.status}; {said[:200]}")
    except (aiohttp.ClientError, OSError) as error:
        raise ActionFailed(f'Get "{url}": {error}') from error


async def _execute(command: Sequence[str], inside: Inside, log: Path) -> None:
    process = await ContainerProcess.start(inside.command(command), inside.environment, inside.folder, log)
    try:
        await process.ended()
    finally:
        process.kill()
    if process.exit_code != 0:
        raise ActionFailed(f"command terminated with exit code {process.exit_code}")


async def _connect(asked: Mapping[str, Any], inside: Inside) -> None:
    host = inside.translation.text(asked["host"]) if asked.get("host") else inside.address
    try:
        _, writer = await asyncio.open_connection(host, port_number(asked["port"], inside.ports))
    except OSError as error:
        raise ActionFailed(f"dial tcp {host}: {error}") from error
    writer.close()
