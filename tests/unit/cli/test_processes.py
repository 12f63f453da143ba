"""Each line of the log of a cluster's process is one JSON object, whoever wrote it."""

import json
import subprocess
import sys

_SAYS = """
import asyncio, logging, sys
import structlog
from pointsman.cli.processes import log_as_json
log_as_json(sys.stderr)
structlog.get_logger("operator").info("leads", routes=1)
logging.getLogger("kopf.activities").warning("it is %s", "forbidden")
logging.getLogger("kopf.activities").info("chatter")
try:
    raise ValueError("of theirs")
except ValueError:
    logging.getLogger("asyncio").exception("never awaited")
"""


def test_what_libraries_say_is_in_it_as_json_from_a_warning_on() -> None:
    done = subprocess.run([sys.executable, "-c", _SAYS], capture_output=True, text=True, check=True)
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(one["level"], one["event"]) for one in said] == [
        ("info", "leads"),
        ("warning", "it is forbidden"),
        ("error", "never awaited"),
    ]
    assert [one.get("logger") for one in said] == [None, "kopf.activities", "asyncio"]
    assert all("timestamp" in one for one in said)
    assert "ValueError: of theirs" in said[2]["exception"]
