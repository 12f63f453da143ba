"""A gateway in a cluster: what it serves comes from the API server's own watches, whether or not an operator
runs.
"""
