"""The llama.cpp server by its own command line: what `ghcr.io/ggml-org/llama.cpp:server` runs.

The engine is the real one, from xllamacpp; only its command line is read here. It differs in one thing: it
listens once the weights are in memory, where the image's answers 503 "Loading model" until then.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

import xllamacpp

from pointsman.errors import PointsmanError
from pointsman.local.engines.llamacpp_flags import read_arguments
from pointsman.local.llamacpp import parameters_of

_DEFAULT_PORT = 8080
_ENDED_BY_SIGTERM = 0


def parser() -> argparse.ArgumentParser:
    """The flags that the product owns; the others are tuning, which local mode knows."""
    flags = argparse.ArgumentParser(allow_abbrev=False)
    flags.add_argument("-m", "--model", required=True)
    flags.add_argument("-a", "--alias", default="")
    flags.add_argument("-c", "--ctx-size", type=int, default=0)
    flags.add_argument("-np", "--parallel", type=int, default=4)
    flags.add_argument("--host", default="127.0.0.1")
    flags.add_argument("--port", type=int, default=_DEFAULT_PORT)
    flags.add_argument("-t", "--threads", type=int, default=0)
    flags.add_argument("--embedding", "--embeddings", action="store_true")
    flags.add_argument("--rerank", "--reranking", action="store_true")
    flags.add_argument("--chat-template", default="")
    flags.add_argument("--chat-template-file", default="")
    flags.add_argument("-fit", "--fit", default="on")
    flags.add_argument("--lora", default="")
    flags.add_argument("--cors-origins", default="")
    for switch in ("--metrics", "--jinja", "--no-ui", "--no-webui", "--offline"):
        flags.add_argument(switch, action="store_true")
    return flags


def server_parameters(arguments: list[str]) -> xllamacpp.CommonParams:
    """llama.cpp's parameters for its command line. Raises PointsmanError for a flag that is not known."""
    known, tuning = parser().parse_known_args(arguments)
    template = known.chat_template
    if known.chat_template_file:
        with open(known.chat_template_file) as file:
            template = file.read()
    tasks = ["rerank"] if known.rerank else ["embedding"] if known.embedding else ["chat", "completion"]
    params = parameters_of(
        {
            "weights": known.model,
            "served_names": known.alias.split(",") if known.alias else [os.path.basename(known.model)],
            "tasks": tasks,
            "context_length": 0,
            "concurrency": known.parallel,
            "chat_template": template,
            # The machine of the tests is shared by whatever else runs on it.
            "threads": known.threads or 1,
            "parameters": read_arguments(tuning),
        }
    )
    params.n_ctx = known.ctx_size
    params.hostnames = [known.host]
    params.port = known.port
    params.endpoint_metrics = known.metrics
    return params


def main() -> None:
    # Blocked before llama.cpp starts its threads, which inherit it; while it loads, SIGTERM ends it later.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        server = xllamacpp.Server(server_parameters(sys.argv[1:]))
    except (PointsmanError, RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"server is listening on {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    # As the image's: what runs is cancelled. Not by the destructor, which waits for open connections.
    os._exit(_ENDED_BY_SIGTERM)


if __name__ == "__main__":
    main()
