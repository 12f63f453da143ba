"""One llama.cpp server as a process: `python -m pointsman.local.llamacpp`, with its spec as JSON on
standard input.

The process outlives the one that started it, so that `up` may crash without cutting answers; the next `up`
adopts or ends it. The port is chosen by the kernel and told on the descriptor that the spec names. SIGTERM
lets running requests finish for a moment and ends; a second one ends at once.
"""

import json
import os
import signal
import sys
import threading
from typing import Any

import xllamacpp

# What is running when SIGTERM comes has been drained by the supervisor; this is for a stop by anybody else.
_DRAIN_SECONDS = 5.0
_POLL_SECONDS = 0.1
# llama.cpp's levels: 1 errors, 2 warnings, 3 everything it does for each request. Its warnings suffice to
# find trouble.
_VERBOSITY = 2
_STOP = {signal.SIGTERM, signal.SIGINT}


def parameters_of(spec: dict[str, Any]) -> xllamacpp.CommonParams:
    """llama.cpp's parameters for a spec (see `engines.spec.EngineSpec.to_document`)."""
    params = xllamacpp.CommonParams()
    params.model.path = spec["weights"]
    params.model_alias = spec["served_names"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    # Each request is promised its own context: slots do not share one (kv_unified stays off) and nothing is
    # fitted.
    params.n_parallel = spec["concurrency"]
    params.n_ctx = spec["context_length"] * spec["concurrency"]
    params.fit_params = False
    params.chat_template = spec["chat_template"]
    params.cpuparams.n_threads = spec["threads"]
    params.cpuparams_batch.n_threads = spec["threads"]
    # Waiting threads sleep instead of spinning: replicas share the cores.
    params.cpuparams.poll = 0
    params.cpuparams_batch.poll = 0
    # The prompt cache in main memory is 8 GiB by default, which placement would not know of.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.endpoint_metrics = True
    params.embedding = not {"chat", "completion"} & set(spec["tasks"])
    if params.embedding:
        # What is embedded or ranked goes through in one piece; more than 512 tokens would be refused.
        params.n_batch = params.n_ubatch = spec["context_length"] or params.n_ubatch
    if "rerank" in spec["tasks"]:
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    params.ui = False
    # Browsers have no business here: the gateway is the endpoint.
    params.cors_origins = ""
    params.verbosity = _VERBOSITY
    # Readiness asks for a real token itself.
    params.warmup = False
    for path, value in spec["parameters"].items():
        _set(params, path, value)
    return params


def _set(params: Any, path: str, value: Any) -> None:
    *groups, name = path.split(".")
    for group in groups:
        params = getattr(params, group)
    setattr(params, name, _enumerated(value))


def _enumerated(value: Any) -> Any:
    """`ggml_type.GGML_TYPE_F16` names an enumeration's member; everything else is itself."""
    kind, _, member = value.partition(".") if isinstance(value, str) else ("", "", "")
    enumeration = getattr(xllamacpp, kind, None) if kind else None
    return value if enumeration is None else getattr(enumeration, member)


def _is_idle(server: Any) -> bool:
    busy = ("llamacpp:requests_processing ", "llamacpp:requests_deferred ")
    lines = server.handle_metrics().splitlines()
    return all(float(line.rpartition(" ")[2]) == 0 for line in lines if line.startswith(busy))


def _end_on_signal(servers: list[Any]) -> None:
    """Wait for SIGTERM, let what runs finish, and end the process; while the model loads, at once."""
    signal.sigwait(_STOP)
    for server in servers:
        for _ in range(round(_DRAIN_SECONDS / _POLL_SECONDS)):
            if _is_idle(server) or signal.sigtimedwait(_STOP, _POLL_SECONDS) is not None:
                break
    sys.stderr.flush()
    # Not by the server's own destructor: it waits up to 30 s for each open connection.
    os._exit(0)


def main() -> None:
    # Blocked before llama.cpp starts its threads, which inherit it: then the signal reaches sigwait and
    # nothing else.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    spec = json.load(sys.stdin)
    servers: list[Any] = []
    waiting = threading.Thread(target=_end_on_signal, args=(servers,), daemon=True)
    waiting.start()
    try:
        servers.append(xllamacpp.Server(parameters_of(spec)))
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        print(f"llama.cpp did not start: {error}", file=sys.stderr)
        sys.exit(1)
    port = int(servers[0].listening_address.rpartition(":")[2])
    try:
        with os.fdopen(spec["tell"], "w") as tell:
            json.dump({"port": port}, tell)
    except BrokenPipeError:
        # Whoever started this engine is gone, and no record names it as one that can be adopted.
        os._exit(1)
    waiting.join()


if __name__ == "__main__":
    main()
