"""The stage, left to the user."""

from __future__ import annotations

import shlex
import sys

from rich.console import Console
from rich.markup import escape

from testbed.controlplane import programs
from testbed.demo import verification
from testbed.demo.stage import ACCOUNT, OPERATOR_NAMESPACE, WINDOW, ZONE, Stage


def introduce(stage: Stage, console: Console) -> None:
    """Print what to export and what to try."""
    tools = ":".join(dict.fromkeys(str(programs.find(name).parent) for name in ("kubectl", "helm")))
    edge = shlex.join(verification.whereabouts(stage.edge, stage.edge_ca))
    text = f"""
The operator runs. In another terminal, in this directory:

    export KUBECONFIG={stage.control_plane.kubeconfig}
    export PATH={tools}:$PATH
    alias cfmtls="PYTHONPATH={verification.SOURCE} {sys.executable} -m mtls_operator.cli"
    export CLOUDFLARE={stage.server.origin}/simulation

    kubectl apply -f examples/quickstart/           # Ready after {WINDOW:.0f} s and a little
    kubectl get cloudflare --all-namespaces         # both kinds
    kubectl describe mtlshb --namespace quickstart  # conditions and events
    curl -s $CLOUDFLARE/state                       # the truth at Cloudflare, without its delay
    curl -s $CLOUDFLARE/violations                  # broken safety invariants: []
    kubectl delete -f examples/quickstart/

Ask who gets through to a hostname of the quickstart, before, while and after it is there:

    cfmtls verify api.example.com {edge}

Make something go wrong, for example Cloudflare answering 503 to the next three calls:

    curl -s $CLOUDFLARE/faults -d '{{"effect": {{"kind": "status", "status": 503}}, "times": 3}}'

Interfere like a colleague with a dashboard (the operator must leave this rule alone):

    curl -s $CLOUDFLARE/rules -d '{{"zone_id": "{ZONE}", "expression": "(ip.src eq 192.0.2.7)"}}'

Account {ACCOUNT} has the zones example.com, example.org and example.net.
The operator's chart is in namespace {OPERATOR_NAMESPACE}.
The API of Cloudflare is at {stage.server.url}, all of the control API in testbed/cloudflare/control.py.
Each call that reaches Cloudflare is shown below. Ctrl-C stops and removes everything.
"""
    console.print(escape(text), soft_wrap=True, highlight=False)
