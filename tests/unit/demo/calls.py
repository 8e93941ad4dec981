"""Calls as the simulated Cloudflare logs them, for tests of the demo."""

from __future__ import annotations

import json
from typing import Any

from testbed.cloudflare.journal import LogEntry
from testbed.demo.calls import Call, Meaning

CERTIFICATES = "/client/v4/accounts/a/mtls_certificates"
LIST = "/client/v4/zones/z/certificate_authorities/hostname_associations"
RULES = "/client/v4/zones/z/rulesets/r/rules"
ENTRY_POINT = "/client/v4/zones/z/rulesets/phases/http_request_firewall_custom/entrypoint"
ENFORCE = "mtls-operator/1 enforce owner=demo cluster=c"
REVOKE = "mtls-operator/1 revoke owner=demo cluster=c"
_CONDITIONS = {
    ENFORCE: ' and not (cf.tls_client_auth.cert_issuer_ski in {"AB12"})',
    REVOKE: ' and cf.tls_client_auth.cert_issuer_ski in {"AB12"} and cf.tls_client_auth.cert_serial in {"1F"}',
}


def claim(state: str) -> str:
    """The description of a claim."""
    return f"mtls-operator/1 claim owner=demo cluster=c state={state} certs=x aim=- inforce=-"


def rule(description: str, *hostnames: str) -> dict[str, Any]:
    """A rule of ours as it is sent, without what the tests do not need."""
    names = " ".join(f'"{name}"' for name in hostnames)
    condition = _CONDITIONS.get(description, "")
    return {"description": description, "expression": f"(lower(http.host) in {{{names}}}{condition})"}


def entry(method: str, path: str, *, sent: object = None, result: object = None, status: int = 200) -> LogEntry:
    """One request and its answer."""
    return LogEntry(
        index=0,
        time=0.0,
        method=method,
        path=path,
        query=(),
        request_body="" if sent is None else json.dumps(sent),
        status=status,
        answer_body=json.dumps({"result": result}),
        token_label="demo",
    )


def call(meaning: Meaning, method: str = "POST", status: int = 200) -> Call:
    """A call of that meaning."""
    return Call(entry(method, "/client/v4/anything", status=status), meaning, "")
