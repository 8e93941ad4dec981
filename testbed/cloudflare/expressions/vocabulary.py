"""Which fields and functions exist, and their types.

The fields are those of Cloudflare's field reference that a zone's custom rules can use without a paid detection
add-on (developers.cloudflare.com/ruleset-engine/rules-language/fields/reference), the deprecated `ip.geoip.*` included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from testbed.cloudflare.expressions.types import BOOL, BYTES, INT, IP, Kind, Type, array_of, map_of

_STRINGS = """
    cf.colo.name cf.colo.region cf.hostname.metadata cf.metal.id cf.random_seed cf.ray_id cf.tls_cipher
    cf.tls_ciphers_sha1 cf.tls_client_extensions_sha1 cf.tls_client_extensions_sha1_le cf.tls_client_random
    cf.tls_version cf.verified_bot_category cf.waf.score.class cf.worker.upstream_zone cf.zone.name cf.zone.plan
    cf.bot_management.ja3_hash cf.bot_management.ja4
    cf.tls_client_auth.cert_issuer_dn cf.tls_client_auth.cert_subject_dn
    cf.tls_client_auth.cert_issuer_dn_rfc2253 cf.tls_client_auth.cert_subject_dn_rfc2253
    cf.tls_client_auth.cert_issuer_dn_legacy cf.tls_client_auth.cert_subject_dn_legacy
    cf.tls_client_auth.cert_serial cf.tls_client_auth.cert_issuer_serial
    cf.tls_client_auth.cert_fingerprint_sha256 cf.tls_client_auth.cert_fingerprint_sha1
    cf.tls_client_auth.cert_not_before cf.tls_client_auth.cert_not_after
    cf.tls_client_auth.cert_ski cf.tls_client_auth.cert_issuer_ski
    cf.tls_client_auth.cert_rfc9440 cf.tls_client_auth.cert_chain_rfc9440
    http.cookie http.host http.referer http.request.body.mime http.request.body.raw http.request.full_uri
    http.request.method http.request.uri http.request.uri.path http.request.uri.path.extension http.request.uri.query
    http.request.version http.user_agent http.x_forwarded_for
    ip.geoip.continent ip.geoip.country ip.geoip.subdivision_1_iso_code ip.geoip.subdivision_2_iso_code
    ip.src.city ip.src.continent ip.src.country ip.src.lat ip.src.lon ip.src.metro_code ip.src.postal_code
    ip.src.region ip.src.region_code ip.src.subdivision_1_iso_code ip.src.subdivision_2_iso_code
    raw.http.request.full_uri raw.http.request.uri raw.http.request.uri.path raw.http.request.uri.path.extension
    raw.http.request.uri.query
"""
_BOOLEANS = """
    true false ssl cf.client.bot cf.edge.client_tcp
    cf.bot_management.corporate_proxy cf.bot_management.static_resource cf.bot_management.verified_bot
    cf.tls_client_auth.cert_presented cf.tls_client_auth.cert_revoked cf.tls_client_auth.cert_verified
    cf.tls_client_auth.cert_rfc9440_too_large cf.tls_client_auth.cert_chain_rfc9440_too_large
    http.request.body.truncated http.request.headers.truncated
    ip.geoip.is_in_european_union ip.src.is_in_european_union
"""
_INTEGERS = """
    cf.bot_management.score cf.edge.client_port cf.edge.server_port cf.threat_score cf.tls_client_hello_length
    cf.waf.score cf.waf.score.rce cf.waf.score.sqli cf.waf.score.xss http.request.body.size
    http.request.timestamp.msec http.request.timestamp.sec ip.geoip.asnum ip.src.asnum
"""
_ADDRESSES = "cf.edge.server_ip ip.src"
_STRING_ARRAYS = """
    http.request.accepted_languages http.request.body.form.names http.request.body.form.values
    http.request.headers.names http.request.headers.values http.request.uri.args.names http.request.uri.args.values
    raw.http.request.headers.names raw.http.request.headers.values
    raw.http.request.uri.args.names raw.http.request.uri.args.values
"""
_STRING_ARRAY_MAPS = """
    http.request.body.form http.request.cookies http.request.headers http.request.uri.args
    raw.http.request.headers raw.http.request.uri.args
"""

FIELDS: Mapping[str, Type] = {
    **dict.fromkeys(_STRINGS.split(), BYTES),
    **dict.fromkeys(_BOOLEANS.split(), BOOL),
    **dict.fromkeys(_INTEGERS.split(), INT),
    **dict.fromkeys(_ADDRESSES.split(), IP),
    **dict.fromkeys(_STRING_ARRAYS.split(), array_of(BYTES)),
    **dict.fromkeys(_STRING_ARRAY_MAPS.split(), map_of(array_of(BYTES))),
}


def _lower(value: bytes) -> bytes:
    return value.lower()


def _upper(value: bytes) -> bytes:
    return value.upper()


def _starts_with(value: bytes, prefix: bytes) -> bool:
    return value.startswith(prefix)


def _ends_with(value: bytes, suffix: bytes) -> bool:
    return value.endswith(suffix)


def _concat(*values: bytes) -> bytes:
    return b"".join(values)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language.

    `parameters` lists, per argument, the kinds it takes; the last one repeats when `variadic`. `compute` gets the
    arguments as Python values. Only ASCII letters have a case.
    """

    returns: Type
    parameters: tuple[tuple[Kind, ...], ...]
    compute: Callable[..., object]
    variadic: bool = False

    def kinds_of(self, index: int) -> tuple[Kind, ...] | None:
        """The kinds that argument `index` may have, None when the function takes no such argument."""
        if index < len(self.parameters):
            return self.parameters[index]
        return self.parameters[-1] if self.variadic else None


_STRING = (Kind.BYTES,)

FUNCTIONS: Mapping[str, Function] = {
    "lower": Function(BYTES, (_STRING,), _lower),
    "upper": Function(BYTES, (_STRING,), _upper),
    "len": Function(INT, ((Kind.BYTES, Kind.ARRAY),), len),
    "starts_with": Function(BOOL, (_STRING, _STRING), _starts_with),
    "ends_with": Function(BOOL, (_STRING, _STRING), _ends_with),
    "concat": Function(BYTES, (_STRING, _STRING), _concat, variadic=True),
}
