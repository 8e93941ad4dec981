"""Which CAs count for a hostname at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from testbed.cloudflare.edge.hostnames import zone_of
from testbed.cloudflare.edge.settings import EdgeSettings, SeveralCas
from testbed.cloudflare.state import MANAGED_CA, Certificate, State


@dataclass(frozen=True, slots=True)
class Trust:
    """`asks`: whether clients are asked for a certificate. `authorities` are the PEMs of the CAs that count."""

    asks: bool
    authorities: tuple[str, ...] = ()


NO_TRUST = Trust(asks=False)


def trust_in(state: State, hostname: str, settings: EdgeSettings) -> Trust:
    """What a plain hostname trusts."""
    zone = zone_of(state, hostname)
    if zone is None:
        return NO_TRUST
    ids = [
        certificate_id
        for (zone_id, certificate_id), names in state.lists.items()
        if zone_id == zone.id and hostname in names
    ]
    if not ids:
        return NO_TRUST
    held = state.certificates.get(zone.account_id, {})
    uploaded = [held[each] for each in ids if each is not MANAGED_CA and each in held]
    pems = [certificate.pem for certificate in _counting(uploaded, settings.several_cas)]
    if MANAGED_CA in ids and settings.managed_ca is not None:
        pems.append(settings.managed_ca)
    return Trust(asks=True, authorities=tuple(sorted(pems)))


def _counting(uploaded: list[Certificate], several: SeveralCas) -> list[Certificate]:
    if several is SeveralCas.ALL or not uploaded:
        return uploaded
    return [max(uploaded, key=lambda certificate: (certificate.uploaded_on, certificate.id))]
