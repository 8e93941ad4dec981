"""`python -m mtls_operator.cli`."""

from mtls_operator.cli.commands import main

main()
