"""GET /zones/{zone_id}/dns_records. Filters: `type`, `name` and `name.exact`, `proxied`.

The default page has 100 records (Cloudflare's API reference, "List DNS Records"); how large one may be is documented as
5,000,000, and external-dns knows 5,000 as the largest that works.
"""

from __future__ import annotations

from testbed.cloudflare.calls import Call, Outcome, page_of
from testbed.cloudflare.envelope import RefusalError, timestamp
from testbed.cloudflare.settings import Kind
from testbed.cloudflare.state import Zone
from testbed.cloudflare.zone_records import PROXIABLE, DnsRecord

_CREATED = 1_577_836_800.0


def list_records(call: Call) -> Outcome:
    """GET /zones/{zone_id}/dns_records."""
    records = call.seen(Kind.RECORDS).records.get(call.zone.id, ())
    chosen = sorted((each for each in records if _matches(call, each)), key=lambda each: (each.name, each.type))
    page, info = page_of(call, [_shown(each, call.zone) for each in chosen], default=100, largest=5_000)
    return Outcome(page, info=info)


def _matches(call: Call, record: DnsRecord) -> bool:
    wanted = {
        "type": call.request.parameter("type"),
        "name": call.request.parameter("name.exact") or call.request.parameter("name"),
        "proxied": _flag(call.request.parameter("proxied")),
    }
    facts = {"type": record.type, "name": record.name, "proxied": record.proxied}
    return all(value is None or facts[name] == value for name, value in wanted.items())


def _flag(text: str | None) -> bool | None:
    if text not in {None, "true", "false"}:
        raise RefusalError(400, 9000, "proxied must be true or false")
    return None if text is None else text == "true"


def _shown(record: DnsRecord, zone: Zone) -> object:
    return {
        "id": record.id,
        "name": record.name,
        "type": record.type,
        "content": record.content,
        "proxiable": record.type in PROXIABLE,
        "proxied": record.proxied,
        "ttl": 1,
        "settings": {},
        "meta": {},
        "comment": None,
        "tags": [],
        "created_on": timestamp(_CREATED),
        "modified_on": timestamp(_CREATED),
        "zone_name": zone.name,
    }
