"""`python -m testbed.demo`: the whole job, live: set-up, who gets through, tear-down, nothing left.

Exit code 0 only if all of it held.

With `--playground` the same is set up and left to you until Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from testbed.controlplane import CommandFailedError, ProgramUnavailableError, StartError, programs
from testbed.demo import neighbours, playground
from testbed.demo.holdings import holdings
from testbed.demo.live import SMALLEST, LiveScreen
from testbed.demo.plain import PlainScreen
from testbed.demo.resources import ResourceWatch
from testbed.demo.scenario import DemoFailedError, Journal, Outcome, Scenario
from testbed.demo.screen import Screen
from testbed.demo.stage import ACCOUNT, ZONE, Stage, set_up, simulated_cloudflare
from testbed.kubelet import PodCannotStartError

_PROGRAMS = ("etcd", "kube-apiserver", "kubectl", "helm")
_CONTROLLERS = "kube-controller-manager"
_LOG_LINES = 20
_STOPPED = 128 + signal.SIGINT


def main() -> int:
    arguments = _parser().parse_args()
    # As on Ctrl-C: unwind, so that everything is stopped and removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console()
    try:
        return (
            _play_about(console)
            if arguments.playground
            else _demonstrate(console, _screen(console, arguments.plain), arguments.image_root)
        )
    except KeyboardInterrupt:
        console.print("stopped, and everything removed")
        return 0 if arguments.playground else _STOPPED
    except (ProgramUnavailableError, StartError, CommandFailedError, PodCannotStartError, DemoFailedError) as error:
        console.print(f"FAILED: {error}", style="bold red", markup=False, soft_wrap=True)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m testbed.demo", description=__doc__)
    parser.add_argument("--playground", action="store_true", help="only set up, and leave it to you until Ctrl-C")
    parser.add_argument("--plain", action="store_true", help="lines instead of a live picture, also on a terminal")
    parser.add_argument(
        "--image-root",
        type=Path,
        metavar="DIRECTORY",
        help="run the operator from the root file system of its image (see image/prove.sh); needs root",
    )
    return parser


def _screen(console: Console, plain: bool) -> Screen:
    small = console.width < SMALLEST[0] or console.height < SMALLEST[1]
    return PlainScreen(console) if plain or small or not console.is_terminal else LiveScreen(console)


def _demonstrate(console: Console, screen: Screen, image_root: Path | None) -> int:
    programs.fetch(_PROGRAMS)
    begun = time.monotonic()
    simulation, token = simulated_cloudflare()
    neighbours.move_in(simulation, ACCOUNT, ZONE)
    before, journal = simulation.state, Journal(simulation, screen)
    with screen:
        screen.cloudflare(holdings(before))
        with set_up(simulation, token, screen, controllers=False, image_root=image_root) as stage:
            outcome = _played(Scenario(stage, screen, journal, before), stage)
    console.print(
        f"\nWho got through before the tear-down, says cfmtls verify:\n\n{outcome.table}\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for line in outcome.proved:
        console.print(f"  ✓ {line}", style="green", markup=False, highlight=False, soft_wrap=True)
    console.print(f"The demo took {time.monotonic() - begun:.0f} s.", highlight=False)
    return 0


def _played(scenario: Scenario, stage: Stage) -> Outcome:
    try:
        return scenario.play()
    except (DemoFailedError, CommandFailedError) as error:
        log = "\n".join(stage.pod.log_text().splitlines()[-_LOG_LINES:])
        raise DemoFailedError(f"{error}\nThe operator's log ends with:\n{log}") from error


def _play_about(console: Console) -> int:
    programs.fetch((*_PROGRAMS, _CONTROLLERS))
    simulation, token = simulated_cloudflare()
    neighbours.move_in(simulation, ACCOUNT, ZONE)
    screen = PlainScreen(console)
    with set_up(simulation, token, screen, controllers=True) as stage:
        playground.introduce(stage, console)
        Journal(simulation, screen)
        with ResourceWatch(stage.control_plane, screen.resources):
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
