"""A real Kubernetes control plane as child processes: finds or builds the programs, starts and stops them."""

from testbed.controlplane import programs
from testbed.controlplane.child import Child, Confinement
from testbed.controlplane.clients import CommandFailedError
from testbed.controlplane.listening import StartError
from testbed.controlplane.plane import ControlPlane
from testbed.controlplane.recipe import ProgramUnavailableError

__all__ = [
    "Child",
    "CommandFailedError",
    "Confinement",
    "ControlPlane",
    "ProgramUnavailableError",
    "StartError",
    "programs",
]
