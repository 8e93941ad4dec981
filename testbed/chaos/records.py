"""What the resources of a story record of Cloudflare in their status."""

from __future__ import annotations

from testbed.cluster.objects import Body


def managed_places(binding: Body) -> frozenset[tuple[str, str]]:
    """(certificate id, hostname) of what a binding owns."""
    managed = binding.get("status", {}).get("managed", [])
    return frozenset((each["certificateId"], hostname) for each in managed for hostname in each["hostnames"])


def managed_hostnames(binding: Body) -> frozenset[str]:
    """The hostnames that a binding owns somewhere."""
    return frozenset(hostname for _, hostname in managed_places(binding))


def enforced_hostnames(binding: Body) -> frozenset[str]:
    """The hostnames that a binding says are covered by a rule."""
    found = binding.get("status", {}).get("hostnames", [])
    return frozenset(each["name"] for each in found if each["state"] in {"Enforced", "Moving"})


def certificates(authority: Body) -> frozenset[str]:
    """The ids of all certificates that a CA has."""
    status = authority.get("status", {})
    held = {status.get("certificateId"), *(each.get("certificateId") for each in status.get("retiring", []))}
    return frozenset(each for each in held if each is not None)
