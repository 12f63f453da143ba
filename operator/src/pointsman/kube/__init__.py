"""The API server behind small ports: read, watch, apply, lead, tell.

What does not belong here: deciding what to write (controllers plan, this room acts), and anything that knows
what a ModelDeployment means.
"""
