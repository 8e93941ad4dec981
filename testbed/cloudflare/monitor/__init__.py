"""Watches a simulated Cloudflare and says, request by request, which safety invariants of the design were violated.

It judges installations of the operator by the true state, not by what a lagging read showed them, and shares no code
with them: it reads the marks of docs/marks.md on its own. One module per subject:

    contents       1, 4        what no request may lack or carry
    certificates   2, 5, 7     deletions and uploads
    lists          3           removals from hostname lists
    ownership      9           whose rules are written
    enforcement    2, 10, 13   lock-outs, gaps, what is wanted and given up, rules that exclude each other
    validity       6           issuers that end too early

    monitor = Monitor(window=90)
    simulation = CloudflareSimulation(clock, monitor=monitor)
    ...
    assert monitor.finish() == []
"""

from testbed.cloudflare.monitor.validity import Retirement
from testbed.cloudflare.monitor.watch import Monitor, Violation

__all__ = ["Monitor", "Retirement", "Violation"]
