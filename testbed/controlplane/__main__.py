"""`python -m testbed.controlplane`: a control plane to play with, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from testbed.controlplane import ControlPlane, ProgramUnavailableError, StartError, programs


def main() -> int:
    arguments = _parser().parse_args()
    # As on Ctrl-C: unwind, so that everything is stopped and removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if arguments.fetch:
            _fetch()
        else:
            _serve(controllers=arguments.controllers)
    except (ProgramUnavailableError, StartError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m testbed.controlplane", description=__doc__)
    parser.add_argument("--fetch", action="store_true", help="only make the programs available, and say where they are")
    parser.add_argument(
        "--controllers", action="store_true", help="also run kube-controller-manager (deletes namespaces)"
    )
    return parser


def _fetch() -> None:
    for path in programs.fetch().values():
        sys.stdout.write(f"{path}\n")


def _serve(*, controllers: bool) -> None:
    with ControlPlane.start(controller_manager=controllers) as plane:
        sys.stdout.write(
            f"The control plane is ready at {plane.url}; logs are in {plane.directory}. In another terminal:\n\n"
            f"    export KUBECONFIG={plane.kubeconfig}\n"
            f"    {programs.find('kubectl')} get namespaces\n\n"
            "Ctrl-C stops it and removes all of it.\n"
        )
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    raise SystemExit(main())
