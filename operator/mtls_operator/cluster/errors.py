"""Everything that can go wrong between us and the API server.

ClusterError
├── ResourceGone         404: the object is not there                                 forget it
├── ResourceChanged      409, or a failed test of a patch: somebody wrote before us   read it, decide again
├── WriteRefused         any other 4xx: the API server or a policy does not want it   ask the user, try again
├── AccessDenied         401, 403: the ServiceAccount lacks a right                   ask the user, try again
└── ApiServerUnavailable no usable answer, 410, 429, 5xx                              wait, decide again
"""

from __future__ import annotations

import json
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


class WriteRefused(ClusterError):
    """The API server, or a policy that it asks, does not want this write."""


class AccessDenied(ClusterError):
    """The operator's ServiceAccount may not do this; the chart's RBAC grants what it needs."""


class ApiServerUnavailable(ClusterError):
    """No usable answer; it is tried again."""


_BY_STATUS: dict[int, type[ClusterError]] = {
    400: WriteRefused,
    401: AccessDenied,
    403: AccessDenied,
    404: ResourceGone,
    409: ResourceChanged,
    413: WriteRefused,
    422: WriteRefused,
}
# What the API server says of a JSON patch that cannot be applied: the words for a bare 422, none of the reason. Our
# patches are well-formed, so it is their test that failed. A refusal by the CRD names the kind and the field.
_FAILED_TEST = "the server rejected our request due to an error in our request"
_LONGEST_QUOTE = 500


def refused(status: int, said: str) -> ClusterError:
    """The error for an answer of the API server: its status, and its body or message."""
    words = _message(said)
    kind = _BY_STATUS.get(status, ApiServerUnavailable)
    if status == 422 and _FAILED_TEST in words:
        kind = ResourceChanged
    return kind(f"the API server said {status}: {words[:_LONGEST_QUOTE]}")


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Raise failures of the enclosed call as ClusterError that says what was being done."""
    try:
        yield
    except ClusterError as error:
        raise type(error)(f"{what}: {error}") from None
    except ApiException as error:
        found = refused(error.status or 0, str(error.body or error.reason))
        raise type(found)(f"{what}: {found}") from None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError) as error:
        # ValueError and LookupError: an answer that is no JSON, or not what the API promises.
        raise ApiServerUnavailable(f"{what}: {type(error).__name__}") from error


def _message(said: str) -> str:
    """The words of a Status object, or the text itself where it is none (a proxy's page)."""
    try:
        return str(json.loads(said)["message"])
    except (ValueError, LookupError, TypeError):
        return " ".join(said.split())
