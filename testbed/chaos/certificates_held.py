"""Which object of an account holds the certificates of a bundle."""

from __future__ import annotations

from testbed.chaos.authorities import UNKNOWN, all_fingerprints, fingerprints
from testbed.chaos.world import ACCOUNTS, World


def certificate_of(world: World, bundle: str, version: int) -> str | None:
    """The id of a bundle's certificate in the account, None when there is none."""
    if version == UNKNOWN:
        return None
    held = world.cloudflare.state.certificates[ACCOUNTS[bundle]]
    return next((each.id for each in held.values() if set(each.fingerprints) == fingerprints(bundle, version)), None)


def certificates_of(world: World, bundle: str) -> list[str]:
    """The ids of everything in the account that holds certificates of a bundle, whatever its version."""
    held = world.cloudflare.state.certificates[ACCOUNTS[bundle]]
    return [each.id for each in held.values() if set(each.fingerprints) <= all_fingerprints(bundle)]
