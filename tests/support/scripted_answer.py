"""Plays a behaviour on one HTTP request: the answer, or the fault, on the wire.

Streams send their headers at once, before there is a token, as vLLM does: what a gateway does between
headers and first token is the point of many tests.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable

from aiohttp import web

from tests.support.behaviour import Behaviour, Fault
from tests.support.error_bodies import error_response, streamed_error
from tests.support.openai_answers import (
    DONE,
    Question,
    closing_chunks,
    content_chunk,
    event,
    opening_chunk,
    plain_answer,
    text_pieces,
)

_BEFORE_RESET_SECONDS = 0.05
"""Pause before a reset, so that what was sent has been read: a reset lets the receiver drop what it holds."""

_LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: close sends RST instead of FIN."""

_STATUS_FAULTS = (Fault.STATUS, Fault.RATE_LIMITED, Fault.CONTEXT_OVERFLOW, Fault.CONTENT_FILTER)
_STREAMED_ERRORS = (Fault.ERROR_IN_FIRST_EVENT, Fault.ERROR_EVENT, Fault.COMMENT_THEN_ERROR)
_AFTER_CHUNKS = (
    Fault.RESET_AFTER_CHUNKS,
    Fault.ERROR_AFTER_CHUNKS,
    Fault.END_WITHOUT_DONE,
    Fault.HANG_AFTER_CHUNKS,
)


class Abandoned(Exception):
    """The stand-in itself cut the connection; there is no response left to return."""


def reset_connection(request: web.Request) -> None:
    """Cut the request's connection with a TCP reset."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()


async def play(
    request: web.Request,
    question: Question,
    behaviour: Behaviour,
    answer: str,
    on_token: Callable[[int], None],
) -> web.StreamResponse:
    """Answer `request` as `behaviour` says and return the finished response.

    `answer` is the first word of the text and names the stand-in; `on_token(index)` is called as each content
    chunk is sent. Raises Abandoned where the behaviour ends in a reset or in a hang.
    """
    if behaviour.obeys_max_tokens and question.max_tokens:
        behaviour = behaviour.changed(chunks=min(behaviour.chunks, question.max_tokens))
    fault = behaviour.fault
    if fault is Fault.HANG_BEFORE_HEADERS:
        await _hang_and_reset(request, behaviour)
    if fault is Fault.RESET_BEFORE_HEADERS:
        reset_connection(request)
        raise Abandoned
    if fault in _STATUS_FAULTS:
        status, body, headers = error_response(behaviour)
        return web.json_response(body, status=status, headers=headers)
    if fault is Fault.JSON_ERROR_IN_200 or (fault in _STREAMED_ERRORS and not question.stream):
        return web.json_response(streamed_error(behaviour))
    if fault in (Fault.HEADERS_THEN_HANG, Fault.HEADERS_THEN_RESET):
        await _begin(request, "text/event-stream" if question.stream else "application/json")
        if fault is Fault.HEADERS_THEN_HANG:
            await _hang_and_reset(request, behaviour)
        await _reset_soon(request)
    if not question.stream or question.endpoint == "embeddings":
        return await _plain(request, question, behaviour, answer, on_token)
    return await _streamed(request, question, behaviour, answer, on_token)


async def _begin(request: web.Request, content_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": content_type})
    await response.prepare(request)
    return response


async def _hang_and_reset(request: web.Request, behaviour: Behaviour) -> None:
    await asyncio.sleep(behaviour.hang_seconds)
    reset_connection(request)
    raise Abandoned


async def _reset_soon(request: web.Request) -> None:
    await asyncio.sleep(_BEFORE_RESET_SECONDS)
    reset_connection(request)
    raise Abandoned


async def _plain(
    request: web.Request,
    question: Question,
    behaviour: Behaviour,
    answer: str,
    on_token: Callable[[int], None],
) -> web.StreamResponse:
    if behaviour.first_token_seconds:
        await asyncio.sleep(behaviour.first_token_seconds)
    if behaviour.gap_seconds and question.endpoint != "embeddings":
        await asyncio.sleep(behaviour.gap_seconds * behaviour.chunks)
    text = "".join(text_pieces(answer, behaviour.chunks, behaviour.answer_bytes))
    body = json.dumps(plain_answer(question, text, behaviour.chunks)).encode()
    on_token(0)
    if behaviour.fault not in _AFTER_CHUNKS or behaviour.fault is Fault.END_WITHOUT_DONE:
        return web.Response(body=body, content_type="application/json")
    response = await _begin(request, "application/json")
    await response.write(body[: len(body) // 2])
    if behaviour.fault is Fault.HANG_AFTER_CHUNKS:
        await _hang_and_reset(request, behaviour)
    await _reset_soon(request)
    return response


async def _streamed(
    request: web.Request,
    question: Question,
    behaviour: Behaviour,
    answer: str,
    on_token: Callable[[int], None],
) -> web.StreamResponse:
    response = await _begin(request, "text/event-stream")
    if behaviour.first_token_seconds:
        await asyncio.sleep(behaviour.first_token_seconds)
    if behaviour.fault in _STREAMED_ERRORS:
        return await _streamed_error(response, behaviour)

    continuous = behaviour.continuous_usage or question.continuous_usage
    if behaviour.role_chunk and (opening := opening_chunk(question, continuous)):
        await response.write(opening)
    text: list[str] = []
    for index, piece in enumerate(text_pieces(answer, behaviour.chunks, behaviour.answer_bytes)):
        if behaviour.fault in _AFTER_CHUNKS and index == behaviour.chunks_before_fault:
            return await _fault_after_chunks(request, response, behaviour)
        if behaviour.gap_seconds and index:
            await asyncio.sleep(behaviour.gap_seconds)
        await response.write(content_chunk(question, piece, index, continuous))
        on_token(index)
        if question.endpoint == "responses":
            text.append(piece)
    if behaviour.fault in _AFTER_CHUNKS:
        return await _fault_after_chunks(request, response, behaviour)
    await response.write(closing_chunks(question, "".join(text), behaviour.chunks, continuous))
    await response.write_eof()
    return response


async def _streamed_error(response: web.StreamResponse, behaviour: Behaviour) -> web.StreamResponse:
    if behaviour.fault is Fault.COMMENT_THEN_ERROR:
        await response.write(b": ping\n\n")
    name = "error" if behaviour.fault is Fault.ERROR_EVENT else ""
    await response.write(event(streamed_error(behaviour), name))
    await response.write(DONE)
    await response.write_eof()
    return response


async def _fault_after_chunks(
    request: web.Request, response: web.StreamResponse, behaviour: Behaviour
) -> web.StreamResponse:
    if behaviour.fault is Fault.HANG_AFTER_CHUNKS:
        await _hang_and_reset(request, behaviour)
    if behaviour.fault is Fault.RESET_AFTER_CHUNKS:
        await _reset_soon(request)
    if behaviour.fault is Fault.ERROR_AFTER_CHUNKS:
        await response.write(event(streamed_error(behaviour)))
        await response.write(DONE)
    await response.write_eof()
    return response
