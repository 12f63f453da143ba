"""Engines: one llama.cpp server process a replica, started, watched, replaced and drained.

`spec` says what one engine is, `llamacpp_flags` reads its further arguments, `launch` starts the process,
`probe` asks it whether it can answer, `replica` is the life of one process, `supervisor` keeps a deployment's
replicas as wanted.
"""
