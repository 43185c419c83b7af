"""Structured logs: one line each on standard error, for people or as JSON, without secrets.

Everything goes through the same processors: ``structlog``, the standard library's ``logging`` (ours, uvicorn's) and warnings.
Redaction is last before rendering, so it sees tracebacks, too.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TextIO

import structlog
from rich.console import RenderableType
from structlog.typing import EventDict, Processor

from mainstream.cli.output import Format, Lines, Output, Steps

HIDDEN = "***"
_SECRET_WORDS = {"password", "passwd", "passphrase", "token", "authorization", "secret", "cookie", "credentials"}
_NO_VALUE = {"file", "path", "name", "ref", "folder"}
"""A key that ends so says where a secret is, not what it is."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_IN_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    # user:password@ in a URL; a password that was not escaped may hold "@" and, where no port stands there, "/"
    (
        re.compile(r"(://[^\s/?#:@\"']*):(?!\d+(?:[/?#\"'\s]|$))[^\s\"'<>]*@"),
        rf"\1:{HIDDEN}@",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+(?!\*)[A-Za-z0-9._~+/=-]{4,}"), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"(?i)((?:password|passwd|passphrase|token|secret|authorization|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)"
            r"(?!\*|bearer|basic)[^\s&,;\"'}\])]+"
        ),
        rf"\1{HIDDEN}",
    ),
)
_DEEPEST = 32
"""Levels of nested values; what lies deeper is left out."""


class LoggedOutput(Output):
    """A verb's words as log records instead of lines for a person."""

    def __init__(self, form: Format, *, program: str = "mainstream.runner") -> None:
        super().__init__(form)
        self._log = structlog.stdlib.get_logger(program)

    def say(self, message: str, **fields: object) -> None:
        """An ``info`` record."""
        self._log.info(message, **fields)

    def warn(self, message: str, **fields: object) -> None:
        """A ``warning`` record."""
        self._log.warning(message, **fields)

    def summarize(self, plain: Mapping[str, Any], table: Callable[[], RenderableType]) -> None:  # noqa: ARG002 - for people
        """An ``info`` record with all figures."""
        self._log.info("summary", **plain)

    @contextmanager
    def progress(self) -> Iterator[Steps]:
        """Records, never bars."""
        yield Lines(self.say)


def set_up(*, json: bool, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send all logs of the process to ``stream`` (standard error), from ``level`` on. May be called again."""
    stream = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    render: Processor
    if json:
        render = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    else:
        render = structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(max(level, logging.WARNING))  # that a server starts and ends is said by who started it
    for name in ("httpx", "httpcore", "botocore", "aiobotocore", "s3fs", "fsspec"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))  # each request would be a record
    logging.captureWarnings(True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A processor: the event without secrets, at any depth, in keys' values and within texts."""
    return {key: _value(key, value, 0) for key, value in event.items()}


def redacted(text: str) -> str:
    """A text without passwords in URLs, ``Bearer`` and ``Basic`` credentials and ``password=`` parameters."""
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _value(key: object, value: Any, depth: int) -> Any:
    if value is None:
        return None
    if is_secret(str(key)):
        return HIDDEN
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return "..." if depth >= _DEEPEST else _values(value, depth + 1)
    # Whatever else there is would be shown as text (bytes, errors, dataclasses), so it is one from here on.
    return redacted(_text(value))


def _values(values: Mapping[Any, Any] | Iterable[Any], depth: int) -> Any:
    if isinstance(values, Mapping):
        return {inner: _value(inner, content, depth) for inner, content in values.items()}
    return [_value("", item, depth) for item in values]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else repr(value)


def is_secret(key: str) -> bool:
    """Whether a key's value is a secret by its name, such as ``mqttPassword`` or ``Proxy-Authorization``."""
    words = [word.lower() for word in _WORD.findall(key)]
    if not words or words[-1] in _NO_VALUE:
        return False
    pairs = {first + second for first, second in pairwise(words)}
    return any(word.removesuffix("s") in _SECRET_WORDS or word in _SECRET_WORDS for word in words) or bool(
        pairs & {"apikey", "privatekey", "passphrase"}
    )
