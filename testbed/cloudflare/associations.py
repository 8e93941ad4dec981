"""Which hostnames of a zone ask for a client certificate of which CA.

One list per (zone, certificate); a PUT replaces it as a whole. Without `mtls_certificate_id` both calls act on the
list of the Cloudflare-managed CA, which is a mistake that the real API does not refuse either.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace

from testbed.cloudflare.calls import Call, Outcome, json_object
from testbed.cloudflare.envelope import RefusalError
from testbed.cloudflare.identifiers import UUID
from testbed.cloudflare.settings import Kind
from testbed.cloudflare.state import MANAGED_CA, Zone

_HOSTNAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]")


def get_hostnames(call: Call) -> Outcome:
    """GET .../hostname_associations: `hostnames` is null for an empty list."""
    certificate_id = _certificate(call, call.request.parameter("mtls_certificate_id"))
    return _shown(call.seen(Kind.LISTS).hostnames(call.zone.id, certificate_id))


def put_hostnames(call: Call) -> Outcome:
    """PUT .../hostname_associations: the whole list, the empty one removes every hostname."""
    fields = json_object(call, {"hostnames", "mtls_certificate_id"}, ("hostnames",))
    certificate_id = _certificate(call, fields.get("mtls_certificate_id"))
    hostnames = frozenset(_hostnames(fields["hostnames"], call.zone))
    state = call.truth.with_hostnames(call.zone.id, certificate_id, hostnames)
    return replace(_shown(hostnames), state=state)


def _shown(hostnames: frozenset[str]) -> Outcome:
    """In an order that has nothing to do with the order in which they were sent."""
    ordered = sorted(hostnames, key=lambda name: hashlib.sha256(name.encode()).digest())
    return Outcome({"hostnames": ordered or None})


def _certificate(call: Call, given: object) -> str | None:
    if given is None:
        return MANAGED_CA
    if not isinstance(given, str) or not UUID.fullmatch(given):
        raise _refused(1440, "The mtls_certificate_id is invalid: must be a UUID", "mtls_certificate_id")
    certificate = call.truth.certificates[call.zone.account_id].get(given)
    if certificate is None:
        raise RefusalError(404, 1475, "The certificate was not found", pointer="/mtls_certificate_id")
    if not certificate.ca or certificate.type != "custom":
        raise _refused(1441, "The certificate is not an uploaded CA", "mtls_certificate_id")
    return given


def _hostnames(value: object, zone: Zone) -> Iterable[str]:
    if not isinstance(value, list):
        raise _refused(1442, "hostnames must be a list", "hostnames")
    for index, hostname in enumerate(value):
        if not isinstance(hostname, str) or not _HOSTNAME.fullmatch(hostname):
            raise _refused(1443, f"Invalid hostname {hostname!r}", f"hostnames/{index}")
        if hostname != zone.name and not hostname.endswith(f".{zone.name}"):
            message = f"The hostname {hostname} does not belong to the zone {zone.name}"
            raise _refused(1444, message, f"hostnames/{index}")
        yield hostname


def _refused(code: int, message: str, field: str) -> RefusalError:
    return RefusalError(400, code, message, pointer=f"/{field}")
