"""Rerank endpoints of scripted engines: a longer text is more relevant, which is enough to see an order."""

from __future__ import annotations

from aiohttp import web


def add_rerank_route(app: web.Application, path: str, *, texts: str, wrapped: bool) -> None:
    """`texts` is the field with the texts; `wrapped` answers as vLLM and SGLang do, else as TEI does."""

    async def rerank(request: web.Request) -> web.Response:
        body = await request.json()
        if not isinstance(body.get("query"), str) or not isinstance(body.get(texts), list):
            return web.json_response({"error": f"query and {texts} are needed"}, status=422)
        lengths = [len(text) for text in body[texts]]
        ranked = sorted(range(len(lengths)), key=lambda index: -lengths[index])
        scores = [(index, lengths[index] / (1 + max(lengths))) for index in ranked]
        if not wrapped:
            return web.json_response([{"index": index, "score": score} for index, score in scores])
        results = [
            {"index": index, "relevance_score": score, "document": {"text": body[texts][index]}}
            for index, score in scores
        ]
        return web.json_response({"id": "rerank-stand-in", "model": body.get("model"), "results": results})

    app.router.add_post(path, rerank)
