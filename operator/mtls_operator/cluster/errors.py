"""Everything that can go wrong between us and the API server.

ClusterError
├── ResourceGone         404: the object, or an object of that uid, is not there      forget it
├── ResourceChanged      409, or 422 of a failed test: somebody wrote before us       read it, decide again
├── AccessDenied         403: the ServiceAccount lacks a right                        ask the user
└── ApiServerUnavailable no answer, 429, 5xx                                          wait, decide again
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from kubernetes.aio.client.exceptions import ApiException


class ClusterError(Exception):
    """A call to the API server failed; the message says which call, and what the API server said."""


class ResourceGone(ClusterError):
    """The object is not there any more."""


class ResourceChanged(ClusterError):
    """The object is not as it was when we decided."""


class AccessDenied(ClusterError):
    """The operator's ServiceAccount may not do this; the chart's RBAC grants what it needs."""


class ApiServerUnavailable(ClusterError):
    """No usable answer; it is tried again."""


_BY_STATUS: dict[int, type[ClusterError]] = {
    403: AccessDenied,
    404: ResourceGone,
    409: ResourceChanged,
    422: ResourceChanged,
}


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Raise failures of the enclosed call as ClusterError that says what was being done."""
    try:
        yield
    except ApiException as error:
        kind = _BY_STATUS.get(error.status or 0, ApiServerUnavailable)
        raise kind(f"{what}: {error.status} {error.reason}") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ApiServerUnavailable(f"{what}: {type(error).__name__}") from error
