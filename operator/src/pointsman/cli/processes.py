"""What the processes of a cluster have in common: their log, and the file of the fleet settings."""

import logging
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import Processor

from pointsman.api import FleetSettings
from pointsman.api.parsing import parse_documents
from pointsman.errors import PointsmanError


def log_as_json(stream: TextIO) -> None:
    """One JSON object a line, as log collectors of clusters read them; of libraries, what they warn of."""
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def read_fleet(path: Path) -> FleetSettings:
    """The fleet settings of a file; an empty one says nothing. Raises PointsmanError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PointsmanError(f"it cannot be read ({error})", where=str(path)) from error
    objects, findings = parse_documents("fleet.yaml", text)
    for finding in findings:
        if finding.is_error:
            raise PointsmanError(finding.text())
    for located in objects:
        if isinstance(located.resource, FleetSettings):
            return located.resource
    return FleetSettings()
