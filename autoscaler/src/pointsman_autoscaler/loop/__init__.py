"""The autoscaler of a cluster: looks, asks a policy, and writes what changed. Nothing is decided here.

`steps` says what is to be written, `cluster` what is known, `rounds` when to look; `process` puts them
together.
"""
