"""The commands of `cfmtls`, and how they end."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mtls_operator.cli.run import run_operator
from mtls_operator.cli.verify import UsageError, add_verify
from mtls_operator.configuration import ConfigurationError, load_configuration


def main() -> None:
    """Parse the command line and run the command. Exits with 2 for what cannot be used."""
    arguments = _parser().parse_args()
    try:
        sys.exit(arguments.run(arguments))
    except (ConfigurationError, UsageError) as error:
        sys.exit(_complain(str(error)))


def _run(arguments: argparse.Namespace) -> int:
    configuration = load_configuration(arguments.config)
    if "POD_NAMESPACE" not in os.environ:
        return _complain("the environment variable POD_NAMESPACE must name the operator's own namespace")
    run_operator(configuration)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cfmtls", description="Cloudflare API Shield mTLS with your own certificate authorities, on Kubernetes."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("run", help="run the operator")
    run.add_argument("--config", type=Path, required=True, help="the configuration file, as the Helm chart writes it")
    run.set_defaults(run=_run)
    add_verify(commands)
    return parser


def _version() -> str:
    try:
        return version("cloudflare-mtls-operator")
    except PackageNotFoundError:
        return "not installed"


def _complain(message: str) -> int:
    sys.stderr.write(f"cfmtls: {message}\n")
    return 2
