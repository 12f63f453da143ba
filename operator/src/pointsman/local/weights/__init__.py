"""Weights: from a source in a ModelDeployment to one file on this machine.

`source` reads the URI, `located` finds what is there already, `fetch` is the child process that brings the
rest, by what the `weights` room knows of each kind of source, and `fetcher` runs it. What a weights file says
about its model is read by `gguf`.
"""
