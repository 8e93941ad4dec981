"""`cfmtls verify`: who gets through to a hostname, asked from here."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import ssl
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TextIO

from mtls_operator.domain.hostnames import is_hostname
from mtls_operator.domain.verification import Effect, Finding, Refusal, interpret
from mtls_operator.outside.addresses import ANY, Directory, Place
from mtls_operator.outside.contexts import client_context
from mtls_operator.outside.identities import Identity, Imitated, imitated_by
from mtls_operator.outside.visits import Papers, Visitor

AS_IT_SHOULD_BE, NOT_AS_IT_SHOULD_BE, CANNOT_BE_TOLD = 0, 1, 2
_VERDICTS: Final = {True: "ok", False: "BAD", None: "?"}
_COLOURS: Final = {True: "\x1b[32m", False: "\x1b[1;31m", None: "\x1b[33m"}
_PLAIN: Final = "\x1b[0m"
_HEADINGS: Final = ("WHO ASKS", "SHOULD BE", "WAS", "")
_PATH: Final = re.compile(r"/[!-~]*")


class UsageError(Exception):
    """The command cannot be run like this."""


def add_verify(commands: Any) -> None:
    """Describe the command to argparse."""
    verify = commands.add_parser(
        "verify",
        help="ask for hostnames from outside, as good and bad clients",
        description="Asks for each hostname as clients that must not get through, and as a good one where a certificate"
        " is given. Sends GET requests only, follows nothing. Exit code: 0 all is as it should be, 1 it is not, 2 it"
        " cannot be told.",
    )
    verify.add_argument("hostnames", nargs="+", metavar="hostname", help="exactly as clients use it")
    verify.add_argument("--path", default="/", help="path that is asked for (%(default)s)")
    verify.add_argument(
        "--client-cert", type=Path, metavar="FILE", help="PEM certificate of a client that gets through"
    )
    verify.add_argument("--client-key", type=Path, metavar="FILE", help="its PEM private key")
    verify.add_argument("--revoked-cert", type=Path, metavar="FILE", help="PEM certificate of a client that is revoked")
    verify.add_argument("--revoked-key", type=Path, metavar="FILE", help="its PEM private key")
    verify.add_argument(
        "--resolve",
        action="append",
        default=[],
        metavar="HOST:PORT:ADDRESS",
        help="connect to this address and port for a hostname, or for any with '*', whatever the DNS says; repeatable",
    )
    verify.add_argument("--ca-file", type=Path, metavar="FILE", help="PEM CAs of servers, in place of the system's")
    verify.add_argument(
        "--allow-private-addresses", action="store_true", help="also ask private, loopback and link-local addresses"
    )
    verify.add_argument(
        "--expect-status", type=int, default=403, metavar="N", help="status of a blocked request (%(default)s)"
    )
    verify.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS", help="of one request (%(default)s)")
    verify.add_argument("--output", choices=("table", "json"), default="table", help="(%(default)s)")
    verify.set_defaults(run=run_verify)


def run_verify(arguments: argparse.Namespace) -> int:
    """Ask, print, and return the exit code. Raises UsageError."""
    hostnames = _hostnames(arguments.hostnames)
    if not _PATH.fullmatch(arguments.path) or "#" in arguments.path:
        raise UsageError("--path must begin with '/' and hold printable ASCII characters without spaces and '#'")
    papers = _papers(arguments)
    visitor = Visitor(
        Directory(arguments.allow_private_addresses, dict(_known(each) for each in arguments.resolve)),
        _trusted(arguments.ca_file),
        arguments.timeout,
    )
    report = asyncio.run(visitor.visit(hostnames, arguments.path, papers))
    for caller, why in report.left_out.items():
        raise UsageError(f"{caller.value} cannot ask: {why}")
    refusals = (Refusal(arguments.expect_status),)
    findings = [interpret(question, answer, refusals) for question, answer in report.answers]
    if arguments.output == "json":
        sys.stdout.write(json.dumps(document(findings), indent=2) + "\n")
    else:
        sys.stdout.write(table(findings, colour=_wants_colour(sys.stdout)))
    return exit_code(findings)


def exit_code(findings: Sequence[Finding]) -> int:
    """What is wrong counts more than what is not known."""
    told = {each.is_as_it_should_be for each in findings}
    if False in told:
        return NOT_AS_IT_SHOULD_BE
    return CANNOT_BE_TOLD if None in told else AS_IT_SHOULD_BE


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings for programs."""
    return {
        "asItShouldBe": {AS_IT_SHOULD_BE: True, NOT_AS_IT_SHOULD_BE: False}.get(exit_code(findings)),
        "requests": [
            {
                "hostname": each.question.hostname,
                "client": each.question.caller.name.lower().replace("_", "-"),
                "host": each.question.host,
                "shouldPass": each.question.should_pass,
                "effect": each.effect.value,
                "seen": each.seen,
                "asItShouldBe": each.is_as_it_should_be,
            }
            for each in findings
        ],
    }


def table(findings: Sequence[Finding], *, colour: bool) -> str:
    """The findings for people: a block of lines for each hostname, and the sum of it."""
    rows = {each: _row(each) for each in findings}
    widths = [max(len(row[column]) for row in (_HEADINGS, *rows.values())) for column in range(len(_HEADINGS) - 1)]
    lines: list[str] = []
    for hostname in dict.fromkeys(each.question.hostname for each in findings):
        lines += [hostname, _line(_HEADINGS, widths)]
        for finding, row in rows.items():
            if finding.question.hostname == hostname:
                lines.append(_coloured(_line(row, widths), finding) if colour else _line(row, widths))
        lines.append("")
    return "\n".join([*lines, _sum(findings)]) + "\n"


def _row(finding: Finding) -> tuple[str, str, str, str]:
    expected = Effect.LET_THROUGH if finding.question.should_pass else Effect.BLOCKED
    who = finding.question.who[:1].upper() + finding.question.who[1:]
    was = f"{finding.effect.value} ({finding.seen})"
    return who, expected.value, was, _VERDICTS[finding.is_as_it_should_be]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    columns = (text.ljust(width) for text, width in zip(row, widths, strict=False))
    return ("  " + "  ".join([*columns, row[-1]])).rstrip()


def _coloured(line: str, finding: Finding) -> str:
    verdict = _VERDICTS[finding.is_as_it_should_be]
    return f"{line.removesuffix(verdict)}{_COLOURS[finding.is_as_it_should_be]}{verdict}{_PLAIN}"


def _sum(findings: Sequence[Finding]) -> str:
    wrong = sum(each.is_as_it_should_be is False for each in findings)
    unknown = sum(each.is_as_it_should_be is None for each in findings)
    if wrong:
        return f"{wrong} of {len(findings)} requests did not end as they should."
    if unknown:
        return f"{unknown} of {len(findings)} requests had no answer that tells anything."
    if any(each.question.should_pass for each in findings):
        return "Closed to everyone but good clients."
    return (
        "Closed to clients without an accepted certificate. Whether a good one gets through was not tried; an origin"
        " that answers everybody like the block does would look the same (--client-cert, --client-key)."
    )


def _wants_colour(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ


def _hostnames(words: Sequence[str]) -> tuple[str, ...]:
    for word in words:
        if not is_hostname(word) or "." not in word:
            raise UsageError(f"not a hostname in lower case: {word!r}")
    return tuple(dict.fromkeys(words))


def _papers(arguments: argparse.Namespace) -> Papers:
    good = _identity(arguments.client_cert, arguments.client_key, "client")
    revoked = _identity(arguments.revoked_cert, arguments.revoked_key, "revoked")
    known = good or revoked
    return Papers(imitated_by(known.certificate) if known else Imitated(), good, revoked)


def _identity(certificate: Path | None, key: Path | None, name: str) -> Identity | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError(f"--{name}-cert and --{name}-key belong together")
    return Identity(_read(certificate), _read(key))


def _trusted(path: Path | None) -> str | None:
    if path is None:
        return None
    text = _read(path).decode("ascii", "replace")
    try:
        client_context(None, text)
    except ssl.SSLError:
        raise UsageError(f"{path} holds no certificate in PEM") from None
    return text


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _known(text: str) -> tuple[str, Place]:
    host, _, place = text.partition(":")
    port, _, address = place.partition(":")
    if (host == ANY or is_hostname(host)) and port.isdecimal() and 0 < int(port) <= 65535:
        with contextlib.suppress(ValueError):
            return host, Place(str(ip_address(address.strip("[]"))), int(port))
    raise UsageError(f"--resolve takes HOST:PORT:ADDRESS, such as api.example.com:443:192.0.2.1, and not {text!r}")
