"""Structured logs: one event name and key-value fields, as JSON lines or for people at a terminal.

No secret, no transcript, and no line a record above debug. aiokafka and aiohttp, which use logging, go the same way.
"""

import logging
import sys

import structlog
from structlog.typing import Processor

from moderato.settings import Log


def configure(settings: Log) -> None:
    """Sends structlog and the standard library's logging to stderr in the chosen format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    # aiokafka speaks of every reconnect at error level: its warnings are enough, our own events say what it means.
    logging.getLogger("aiokafka").setLevel(max(logging.getLogger().level, logging.WARNING))
