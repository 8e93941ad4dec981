"""The commands of `cfmtls`, and how they end."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mtls_operator.cli.run import run_operator
from mtls_operator.configuration import ConfigurationError, load_configuration


def main() -> None:
    """Parse the command line and run the command. Exits with 2 for a configuration that cannot be used."""
    arguments = _parser().parse_args()
    try:
        configuration = load_configuration(arguments.config)
    except ConfigurationError as error:
        sys.exit(_complain(str(error)))
    if "POD_NAMESPACE" not in os.environ:
        sys.exit(_complain("the environment variable POD_NAMESPACE must name the operator's own namespace"))
    run_operator(configuration)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cfmtls", description="Cloudflare API Shield mTLS with your own certificate authorities, on Kubernetes."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("run", help="run the operator")
    run.add_argument("--config", type=Path, required=True, help="the configuration file, as the Helm chart writes it")
    return parser


def _version() -> str:
    try:
        return version("cloudflare-mtls-operator")
    except PackageNotFoundError:
        return "not installed"


def _complain(message: str) -> int:
    sys.stderr.write(f"cfmtls: {message}\n")
    return 2
