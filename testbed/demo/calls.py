"""What each call that reaches Cloudflare means for the job, in words.

An entry of the log says method, path and body. What it means depends on what was there before: the same PUT adds a
hostname or takes one away, and a DELETE names a rule by its id only. So a `Reader` follows the log from its beginning
and learns lists and rules from the answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from testbed.cloudflare.journal import LogEntry

Json = Mapping[str, Any]


class Meaning(StrEnum):
    """What a call does. The names of docs/how-it-works.md."""

    FIND_ZONE = "find zone"
    READ_CERTIFICATES = "read certificates"
    READ_RULES = "read rules"
    READ_LIST = "read list"
    UPLOAD = "upload CA"
    CLAIM_ARRIVING = "claim arriving"
    ASSOCIATE = "associate"
    CLAIM_HELD = "claim held"
    BLOCK = "block rule"
    UNBLOCK = "remove block rule"
    REVOKE = "block revoked"
    UNREVOKE = "remove revoked rule"
    CLAIM_LEAVING = "claim leaving"
    DISSOCIATE = "take off list"
    CLAIM_GONE = "remove claim"
    DELETE_CERTIFICATE = "delete CA"
    OTHER = "other call"


_CLAIMS = {
    "arriving": Meaning.CLAIM_ARRIVING,
    "held": Meaning.CLAIM_HELD,
    "leaving": Meaning.CLAIM_LEAVING,
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call and its meaning; `about` names what it concerns."""

    entry: LogEntry
    meaning: Meaning
    about: str

    @property
    def succeeded(self) -> bool:
        return self.entry.status is not None and self.entry.status < 400

    @property
    def writes(self) -> bool:
        return self.entry.method != "GET"


class Reader:
    """Reads a log from its beginning, entry by entry."""

    def __init__(self) -> None:
        self._lists: dict[tuple[str, str], frozenset[str]] = {}
        self._rules: dict[str, Json] = {}

    def read(self, entry: LogEntry) -> Call:
        """The meaning of the next entry."""
        path = entry.path.removeprefix("/client/v4")
        if path == "/zones":
            return Call(entry, Meaning.FIND_ZONE, dict(entry.query).get("name", ""))
        if "/mtls_certificates" in path:
            return self._certificates(entry)
        if path.endswith("/hostname_associations"):
            return self._list(entry, path)
        if "/rulesets" in path:
            return self._rule(entry, path)
        return Call(entry, Meaning.OTHER, f"{entry.method} {path}")

    def _certificates(self, entry: LogEntry) -> Call:
        result = _result(entry)
        if entry.method == "POST":
            return Call(entry, Meaning.UPLOAD, str(_json(entry.request_body).get("name", "")))
        if entry.method == "DELETE":
            return Call(entry, Meaning.DELETE_CERTIFICATE, str(result.get("name", "")))
        return Call(entry, Meaning.READ_CERTIFICATES, "of the account")

    def _list(self, entry: LogEntry, path: str) -> Call:
        if entry.method == "GET":
            seen = _result(entry).get("hostnames") or ["empty"]
            return Call(entry, Meaning.READ_LIST, ", ".join(sorted(seen)))
        body = _json(entry.request_body)
        key = (path, str(body.get("mtls_certificate_id")))
        before, after = self._lists.get(key, frozenset()), frozenset(body.get("hostnames") or ())
        self._lists[key] = after
        if before - after:
            return Call(entry, Meaning.DISSOCIATE, ", ".join(sorted(before - after)))
        return Call(entry, Meaning.ASSOCIATE, ", ".join(sorted(after)))

    def _rule(self, entry: LogEntry, path: str) -> Call:
        if entry.method == "GET":
            return Call(entry, Meaning.READ_RULES, f"{len(_result(entry).get('rules', ()))} in the zone")
        rule = self._written_rule(entry, path)
        for known in _result(entry).get("rules", ()):
            self._rules[known["id"]] = known
        state = re.search(r" claim .*\bstate=(\w+)", str(rule.get("description", "")))
        gone = entry.method == "DELETE"
        if state is not None:
            return Call(entry, Meaning.CLAIM_GONE if gone else _CLAIMS[state[1]], _hostnames(rule))
        if is_revocation(str(rule.get("description", ""))):
            return Call(entry, Meaning.UNREVOKE if gone else Meaning.REVOKE, _hostnames(rule))
        return Call(entry, Meaning.UNBLOCK if gone else Meaning.BLOCK, _hostnames(rule))

    def _written_rule(self, entry: LogEntry, path: str) -> Json:
        """The rule that a write is about: as sent, or for a DELETE as it was seen last."""
        if entry.method == "DELETE":
            return self._rules.get(path.rsplit("/", 1)[-1], {})
        body = _json(entry.request_body)
        (rule,) = body.get("rules") or [body]
        return dict(rule)


def is_revocation(description: str) -> bool:
    """Whether a rule of that description is about revoked certificates."""
    return re.match(r"mtls-operator/\S+ revoke ", description) is not None


def _hostnames(rule: Json) -> str:
    """The names before the first condition on the certificate."""
    head = str(rule.get("expression", "")).partition(" and ")[0]
    return ", ".join(re.findall(r'"([^"]+)"', head))


def _result(entry: LogEntry) -> Json:
    result = _json(entry.answer_body).get("result")
    return result if isinstance(result, dict) else {}


def _json(text: str) -> Json:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
