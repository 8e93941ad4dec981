"""Lines of the log: what they hold and what they never hold."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import kopf
import pytest

from mtls_operator.configuration import LoggingSettings
from mtls_operator.observability import configure_logging, redact

SECRET = "logging-test-token-4711"


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """Loggers belong to the whole test run."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in root.manager.loggerDict}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in root.manager.loggerDict:
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


def json_lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_tells_time_level_logger_and_message() -> None:
    stream = io.StringIO()
    configure_logging(LoggingSettings(), stream)

    logging.getLogger("mtls_operator.engine").info("zone %s is right", "example.com")

    line = json_lines(stream)[0]
    assert (line["level"], line["logger"], line["message"]) == (
        "INFO",
        "mtls_operator.engine",
        "zone example.com is right",
    )
    assert str(line["time"]).endswith("+00:00")
    assert set(line) == {"time", "level", "logger", "message"}


def test_extras_become_fields_of_a_json_line() -> None:
    stream = io.StringIO()
    configure_logging(LoggingSettings(), stream)

    logging.getLogger("mtls_operator").info("done", extra={"zone": "example.com", "hostnames": 3})

    assert json_lines(stream)[0]["zone"] == "example.com"
    assert json_lines(stream)[0]["hostnames"] == 3


def test_what_kopf_attaches_for_itself_is_left_out() -> None:
    stream = io.StringIO()
    configure_logging(LoggingSettings(), stream)

    extra = {"settings": kopf.OperatorSettings(), "k8s_skip": True, "k8s_ref": {"name": "ca"}}
    logging.getLogger("kopf.objects").warning("odd", extra=extra)

    line = json_lines(stream)[0]
    assert line["object"] == {"name": "ca"}
    assert not {"settings", "k8s_skip", "k8s_ref"} & set(line)


def test_a_plain_line_is_for_people() -> None:
    stream = io.StringIO()
    configure_logging(LoggingSettings(format="plain"), stream)

    logging.getLogger("mtls_operator").warning("zone is not ready")

    assert stream.getvalue().endswith(" WARNING mtls_operator: zone is not ready\n")


@pytest.mark.parametrize("name", ["kopf", "kopf.objects", "httpx", "httpcore.http11", "aiohttp.access"])
def test_libraries_speak_from_warning_up(name: str) -> None:
    stream = io.StringIO()
    configure_logging(LoggingSettings(level="DEBUG"), stream)

    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("trouble")

    assert [line["message"] for line in json_lines(stream)] == ["trouble"]


def test_the_level_holds_for_our_own_loggers() -> None:
    stream = io.StringIO()
    configure_logging(LoggingSettings(level="WARNING"), stream)

    logging.getLogger("mtls_operator").info("quiet")

    assert stream.getvalue() == ""


def test_logging_is_configured_again_without_doubling_lines() -> None:
    stream = io.StringIO()
    configure_logging(LoggingSettings(), stream)
    configure_logging(LoggingSettings(), stream)

    logging.getLogger("mtls_operator").info("once")

    assert len(json_lines(stream)) == 1


@pytest.mark.parametrize("settings", [LoggingSettings(format="json"), LoggingSettings(format="plain")])
def test_no_secret_is_readable_in_message_arguments_or_exception(settings: LoggingSettings) -> None:
    stream = io.StringIO()
    configure_logging(settings, stream)
    redact(SECRET)
    logger = logging.getLogger("mtls_operator")

    logger.warning("message with %s", SECRET, extra={"header": f"Bearer {SECRET}", "nested": {"token": [SECRET]}})
    logger.warning(
        "exception",
        exc_info=ValueError(f"{SECRET} -----BEGIN PRIVATE KEY-----\nMHcCAQEE\n-----END PRIVATE KEY-----"),
    )

    assert SECRET not in stream.getvalue()
    assert "MHcCAQEE" not in stream.getvalue()
    assert stream.getvalue().count("***") >= 3


def test_a_line_stays_json_when_a_key_in_it_is_unreadable() -> None:
    stream = io.StringIO()
    configure_logging(LoggingSettings(), stream)

    logging.getLogger("mtls_operator").warning("%s", "-----BEGIN PRIVATE KEY-----\nMHcCAQEE")

    assert json_lines(stream)[0]["message"] == "***"


def test_a_plain_line_carries_the_extras_before_any_traceback() -> None:
    stream = io.StringIO()
    configure_logging(LoggingSettings(format="plain"), stream)

    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("mtls_operator.test").exception("a call failed", extra={"zone": "z1", "attempt": 2})

    first, *traceback = stream.getvalue().splitlines()
    assert first.endswith("mtls_operator.test: a call failed zone=z1 attempt=2")
    assert traceback[-1] == "ValueError: broken"
