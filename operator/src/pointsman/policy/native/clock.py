"""What time it is, in CEL that has no clock: from the object that is admitted.

At its creation the API server has just set `creationTimestamp`. At an update the newest time of
`managedFields` is now, if it is newer than the newest that was there; an update that only removes fields
stamps nothing, and times can be forged into the past or cleared. Then the time is unknown, and an exception
does not count. One forged into the future ends exceptions.
"""

_STAMPS = (
    "has({object}.metadata.managedFields)"
    " ? {object}.metadata.managedFields.filter(f, has(f.time)).map(f, timestamp(f.time)) : []"
)

CLOCK = (
    {"name": "stamps", "expression": _STAMPS.format(object="object")},
    {
        "name": "before",
        "expression": f"request.operation == 'CREATE' ? [] : ({_STAMPS.format(object='oldObject')})",
    },
    {
        "name": "known",
        "expression": "request.operation == 'CREATE' || (variables.stamps.size() > 0"
        " && variables.before.all(b, variables.stamps.exists(s, s > b)))",
    },
    {
        "name": "now",
        "expression": "request.operation == 'CREATE' ? timestamp(object.metadata.creationTimestamp)"
        " : (variables.stamps.size() > 0 ? variables.stamps.max() : timestamp('9999-12-31T00:00:00Z'))",
    },
)
"""Variables of a policy; `variables.known && variables.now < timestamp(…)` is true before that time alone."""

UNKNOWN = (
    "{condition} && !variables.known ? '; there is an exception, but this change does not tell its time:"
    " repeat it with kubectl apply --server-side' : ''"
)
