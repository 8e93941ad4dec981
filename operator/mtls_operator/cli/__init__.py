"""The command line: `cfmtls`."""

from mtls_operator.cli.commands import main

__all__ = ["main"]
