"""Who calls, and whether they may.

Codes 6003/6111, 9106, 9109, 10000 and 1000 are those that users of the real API report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from testbed.cloudflare.calls import Call, Outcome
from testbed.cloudflare.envelope import RefusalError, timestamp
from testbed.cloudflare.messages import Request
from testbed.cloudflare.state import State, Token

ACCOUNT_PERMISSIONS = frozenset({"ssl_certs:read", "ssl_certs:edit", "account_firewall:read"})
ZONE_PERMISSIONS = frozenset(
    {"zone:read", "zone_ssl:read", "zone_ssl:edit", "waf:read", "waf:edit", "firewall:read", "dns:read"}
)
ALL_PERMISSIONS = ACCOUNT_PERMISSIONS | ZONE_PERMISSIONS
EVERYWHERE = "*"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,}")


def grants(permissions: Mapping[str, Iterable[str]] | Iterable[str]) -> dict[str, frozenset[str]]:
    """Permissions per account or zone id; a plain list of them holds everywhere.

    Raises ValueError for a permission that does not exist.
    """
    places = permissions if isinstance(permissions, Mapping) else {EVERYWHERE: permissions}
    granted = {place: frozenset(names) for place, names in places.items()}
    for names in granted.values():
        if unknown := names - ALL_PERMISSIONS:
            raise ValueError(f"no such permission: {', '.join(sorted(unknown))}")
    return granted


def allows(token: Token, state: State, permission: str, place: str) -> bool:
    """Whether the token has the permission for an account or zone. Edit includes read; a grant for an account
    holds for its zones."""
    zone = state.zones.get(place)
    places = (EVERYWHERE, place) if zone is None else (EVERYWHERE, place, zone.account_id)
    granted = frozenset[str]().union(*(token.permissions.get(key, frozenset()) for key in places))
    return permission in granted or permission.replace(":read", ":edit") in granted


def authenticate(request: Request, state: State) -> Token:
    """The token of the request. Raises RefusalError where there is none, it is malformed, or it is unknown."""
    header = request.headers.get("authorization")
    if header is None:
        raise RefusalError(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
    if request.bearer is None or not _TOKEN.fullmatch(request.bearer):
        chain = ((6111, "Invalid format for Authorization header"),)
        raise RefusalError(400, 6003, "Invalid request headers", chain=chain)
    token = state.token_of(request)
    if token is None:
        if request.path.endswith("/tokens/verify"):
            raise RefusalError(401, 1000, "Invalid API Token")
        raise _not_authenticated(request)
    return token


def check_usable(token: Token, request: Request, now: float) -> None:
    """Raises RefusalError for a token that is disabled, expired, or so fresh that it is not known everywhere yet."""
    if token.disabled or (token.expires_on is not None and now >= token.expires_on):
        raise _not_authenticated(request)
    if now < token.usable_from:
        raise RefusalError(403, 10000, "Authentication error")


def check_permission(token: Token, state: State, permission: str, place: str) -> None:
    """Raises RefusalError (403) where the token lacks the permission."""
    if allows(token, state, permission, place):
        return
    if permission == "zone:read":
        raise RefusalError(403, 9109, "Unauthorized to access requested resource")
    raise RefusalError(403, 10000, "Authentication error")


def verify_user_token(call: Call) -> Outcome:
    """GET /user/tokens/verify, for tokens that a user owns."""
    if call.token.account_id is not None:
        raise RefusalError(401, 1000, "Invalid API Token")
    return _verified(call)


def verify_account_token(call: Call) -> Outcome:
    """GET /accounts/{account_id}/tokens/verify, for tokens that the account owns."""
    if call.token.account_id != call.place["account_id"]:
        raise RefusalError(401, 1000, "Invalid API Token")
    return _verified(call)


def _verified(call: Call) -> Outcome:
    token = call.token
    result = {"id": token.id, "status": _status(token, call.now)}
    if token.expires_on is not None:
        result["expires_on"] = timestamp(token.expires_on)
    if result["status"] != "active":
        return Outcome(result)
    message = {"code": 10000, "message": "This API Token is valid and active", "type": None}
    return Outcome(result, messages=(message,))


def _status(token: Token, now: float) -> str:
    if token.disabled:
        return "disabled"
    expired = token.expires_on is not None and now >= token.expires_on
    return "expired" if expired else "active"


def _not_authenticated(request: Request) -> RefusalError:
    if request.path.removeprefix("/client/v4").startswith("/zones") and request.path.count("/") <= 4:
        return RefusalError(403, 9109, "Invalid access token")
    return RefusalError(401, 10000, "Authentication error")
