"""What rules see of a request: the fields `http.*`, `raw.http.*`, `ip.src` and a few of `cf.*`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from testbed.cloudflare.edge.hostnames import shown
from testbed.cloudflare.edge.settings import HostForm
from testbed.cloudflare.state import Zone

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class EdgeRequest:
    """One HTTP request as it comes out of a TLS connection.

    `host` is the Host header as it was sent, `target` the request target, in origin form or, as a proxy would send it,
    a whole URL. Headers have lower-case names; Host need not be among them. `source` is the client's address.
    """

    host: str
    target: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    source: str = "192.0.2.1"

    @property
    def authority(self) -> str:
        """The host that counts: that of the target where it is a whole URL (RFC 9112, 3.2.2), else the header's."""
        return urlsplit(self.target).netloc or self.host if "://" in self.target else self.host

    @property
    def path_and_query(self) -> str:
        """The target in origin form."""
        if "://" not in self.target:
            return self.target
        parts = urlsplit(self.target)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def clock_fields(now: float) -> Mapping[str, object]:
    """The fields of a request that depend on when it is received (Unix time, seconds)."""
    return {"http.request.timestamp.sec": int(now), "http.request.timestamp.msec": int(now * 1000) % 1000}


def request_fields(request: EdgeRequest, zone: Zone, form: HostForm) -> Mapping[str, object]:
    """The fields of a request to a hostname of the zone, whenever it is received."""
    path, _, query = request.path_and_query.partition("?")
    host = shown(request.authority, form)
    plain_path = normalised(path)
    named = _by_name(request.headers)
    return {
        "ssl": True,
        "ip.src": request.source,
        "cf.zone.name": zone.name,
        "cf.zone.plan": {"enterprise": "ENT", "business": "BIZ"}.get(zone.plan, zone.plan.upper()),
        "http.host": host,
        "http.request.method": request.method,
        "http.request.version": "HTTP/1.1",
        "http.user_agent": _first(named, "user-agent"),
        "http.referer": _first(named, "referer"),
        "http.cookie": "; ".join(named.get("cookie", ())),
        "http.x_forwarded_for": ", ".join(named.get("x-forwarded-for", ())),
        "http.request.headers": named,
        "http.request.headers.names": [name for name, _ in request.headers],
        "http.request.headers.values": [value for _, value in request.headers],
        **_of_target("http.request", host, plain_path, query),
        **_of_target("raw.http.request", host, path, query),
    }


def normalised(path: str) -> str:
    """A path as rules see it: back-slashes and doubled slashes are slashes, needless escapes and dot segments gone.

    Cloudflare's "URL normalization" does so before any rule, unless somebody has switched it off.
    """
    unescaped = _ESCAPE.sub(_needful, path.replace("\\", "/"))
    kept: list[str] = []
    segments = re.sub(r"/{2,}", "/", unescaped).split("/")[1:]
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    ends_open = segments[-1:] in (["."], [".."])
    return "/" + "/".join(kept) + ("/" if ends_open and kept else "")


def _needful(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _of_target(prefix: str, host: str, path: str, query: str) -> Mapping[str, object]:
    uri = f"{path}?{query}" if query else path
    arguments = tuple(parse_qsl(query, keep_blank_values=True))
    last = path.rsplit("/", 1)[-1]
    return {
        f"{prefix}.full_uri": f"https://{host}{uri}",
        f"{prefix}.uri": uri,
        f"{prefix}.uri.path": path,
        f"{prefix}.uri.path.extension": last.rsplit(".", 1)[-1].lower() if "." in last else "",
        f"{prefix}.uri.query": query,
        f"{prefix}.uri.args": _by_name(arguments),
        f"{prefix}.uri.args.names": [name for name, _ in arguments],
        f"{prefix}.uri.args.values": [value for _, value in arguments],
    }


def _by_name(pairs: Sequence[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    named: dict[str, list[str]] = {}
    for name, value in pairs:
        named.setdefault(name, []).append(value)
    return named


def _first(named: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(named.get(name, ())), "")
