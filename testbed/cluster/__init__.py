"""A Kubernetes API server that behaves like the real one, in this process and on a clock of its own.

It stores our two kinds, Secrets, ConfigMaps, Namespaces and Events; gives each operator process a client that is slow,
fails and watches badly on order; and does the same again for the same seed. How to use it:

    cluster = SimulatedCluster(clock, random.Random(seed))
    cluster.users.apply(manifest)               what people do with kubectl
    client = cluster.client("operator")         what an operator process sees: a ClusterApi
    await client.watch(engine.observe)          kopf's part: the events of our kinds

Whatever this package claims about the real API server is proved by tests/contract/cluster, which runs the same tests
against both. Not simulated: CEL and the schemas of the CRDs (write valid specs), RBAC, managedFields, admission.
"""

from testbed.cluster.client import SimulatedClient
from testbed.cluster.faults import AnswerLost, Away, Chance, Fault, Refused, Slow
from testbed.cluster.refusal import RefusalError
from testbed.cluster.requests import LogEntry, Request
from testbed.cluster.simulation import SimulatedCluster
from testbed.cluster.virtual_time import VirtualClock
from testbed.cluster.watching import WatchHabits

__all__ = [
    "AnswerLost",
    "Away",
    "Chance",
    "Fault",
    "LogEntry",
    "RefusalError",
    "Refused",
    "Request",
    "SimulatedClient",
    "SimulatedCluster",
    "Slow",
    "VirtualClock",
    "WatchHabits",
]
