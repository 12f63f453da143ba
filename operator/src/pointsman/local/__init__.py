"""Local mode: a folder of files is the API, processes on this machine are the engines.

What belongs here is what a cluster does elsewhere: watching files, keeping state, fetching weights,
supervising processes. What an object means is decided in the rooms below (`api`, `catalog`, `routing`) and
shared with clusters.
"""
