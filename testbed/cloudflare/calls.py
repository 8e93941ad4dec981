"""What an endpoint gets and gives: a call that passed authentication, and its outcome."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from testbed.cloudflare.envelope import RefusalError
from testbed.cloudflare.identifiers import Identifiers
from testbed.cloudflare.messages import Request
from testbed.cloudflare.settings import Kind, Settings
from testbed.cloudflare.state import Account, State, Token, Zone


@dataclass(frozen=True, slots=True)
class Call:
    """`place` holds the ids of the path. `truth` is for writes; reads go through `seen`, which may be old."""

    request: Request
    place: Mapping[str, str]
    token: Token
    now: float
    truth: State
    seen: Callable[[Kind], State]
    identifiers: Identifiers
    settings: Settings

    @property
    def zone(self) -> Zone:
        """The zone of the path, which routing has found."""
        return self.truth.zones[self.place["zone_id"]]

    @property
    def account(self) -> Account:
        """The account of the path, which routing has found."""
        return self.truth.accounts[self.place["account_id"]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for the envelope, and the new truth where something was written."""

    result: object
    state: State | None = None
    info: Mapping[str, object] | None = None
    messages: tuple[Mapping[str, object], ...] = field(default=())


Endpoint = Callable[[Call], Outcome]


def json_object(call: Call, allowed: Collection[str], required: Collection[str]) -> dict[str, object]:
    """The request's body.

    Raises RefusalError for a body that is not a JSON object, has a field that Cloudflare does not know, or lacks one.
    """
    if not call.request.headers.get("content-type", "").startswith("application/json"):
        raise RefusalError(400, 6003, "Invalid request headers", chain=((6106, "Content-Type must be JSON"),))
    try:
        body: object = json.loads(call.request.body)
    except ValueError:
        raise RefusalError(400, 9207, "Request body is not valid JSON") from None
    return checked_object(body, allowed, required, "")


def checked_object(
    value: object, allowed: Collection[str], required: Collection[str], pointer: str
) -> dict[str, object]:
    """`value` as an object with only the allowed and all of the required fields; RefusalError otherwise."""
    if not isinstance(value, dict):
        raise RefusalError(400, 10021, "must be a JSON object", pointer=pointer or "/")
    for name in value:
        if name not in allowed:
            raise RefusalError(400, 10022, f'unknown field "{name}"', pointer=f"{pointer}/{name}")
    for name in required:
        if name not in value:
            raise RefusalError(400, 10023, f'missing required field "{name}"', pointer=f"{pointer}/{name}")
    return {str(name): item for name, item in value.items()}


def text(fields: Mapping[str, object], name: str, pointer: str, default: str = "") -> str:
    """A string field; RefusalError for anything else."""
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise RefusalError(400, 10024, f'"{name}" must be a string', pointer=f"{pointer}/{name}")
    return value


def flag(fields: Mapping[str, object], name: str, pointer: str, *, default: bool = False) -> bool:
    """A boolean field; RefusalError for anything else."""
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise RefusalError(400, 10024, f'"{name}" must be a boolean', pointer=f"{pointer}/{name}")
    return value


def page_of(
    call: Call, items: list[object], *, default: int, largest: int
) -> tuple[list[object], Mapping[str, object]]:
    """The page that `page` and `per_page` ask for, with its result_info; RefusalError for values out of range."""
    page = _number(call, "page", 1, 1, 10**6)
    size = _number(call, "per_page", default, 1, largest)
    chosen = items[(page - 1) * size : page * size]
    info = {
        "page": page,
        "per_page": size,
        "count": len(chosen),
        "total_count": len(items),
        "total_pages": -(-len(items) // size),
    }
    return chosen, info


def _number(call: Call, name: str, default: int, smallest: int, largest: int) -> int:
    given = call.request.parameter(name)
    if given is None:
        return default
    if not given.isdecimal() or not smallest <= int(given) <= largest:
        raise RefusalError(400, 6100, f"Invalid {name}: must be a number from {smallest} to {largest}")
    return int(given)
