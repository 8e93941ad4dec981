"""The check from outside: who asks for a hostname, what the answers mean, and what is to be said of it.

Theory of this module. The question is whether the edge closes a hostname to everyone but good clients. It can only be
asked like a stranger would ask it, and an answer can be mistaken in two ways: a block that is taken for an answer of
the origin is a false alarm, an answer of the origin that is taken for a block is a hole that is called closed. Rules:

- A request is blocked when the answer is that of a block rule (its status; its content type where the rule sets one)
  and comes from Cloudflare's edge, or when the handshake ends with an alert about the client's certificate. Whatever
  else answers has let it through: a redirect, a 404, also an error of the edge that could not reach the origin.
- No answer is no evidence, neither of a block nor of a hole. Nor is a challenge (`cf-mitigated`), which somebody else's
  rule puts before ours.
- A name in an odd form that nobody serves (400, 421) is not open: there is nothing behind it.
- An origin that answers like the block does to everybody cannot be told from the block, unless a good client asks as
  well. So a good client that gets the answer of a block counts as refused, and where none asks that is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.verdicts import Verdict, blocked, ok

_NOT_SERVED: Final = frozenset({400, 421})
_MOST_NAMED: Final = 10


class Caller(Enum):
    """Who asks, in words."""

    WITHOUT = "a client without a certificate"
    SELF_SIGNED = "a client with a self-signed certificate"
    STRANGER = "a client with a certificate of another CA"
    REVOKED = "a client with a revoked certificate"
    GOOD = "a client with a good certificate"


ALWAYS: Final = frozenset({Caller.WITHOUT, Caller.SELF_SIGNED, Caller.STRANGER})
"""Who can ask without anybody's help."""


class HostForm(Enum):
    """How the Host header writes a hostname. All of these mean the same host to servers, and not to a rule."""

    AS_BOUND = "{name}"
    UPPER_CASE = "{upper}"
    TRAILING_DOT = "{name}."
    WITH_PORT = "{name}:443"
    DOT_AND_PORT = "{name}.:443"

    def of(self, hostname: str) -> str:
        """The Host header for a hostname."""
        return self.value.format(name=hostname, upper=hostname.upper())


@dataclass(frozen=True, slots=True)
class Question:
    """One request: who asks for which hostname, and how it is written in the Host header."""

    hostname: str
    caller: Caller
    form: HostForm = HostForm.AS_BOUND

    @property
    def host(self) -> str:
        """The Host header."""
        return self.form.of(self.hostname)

    @property
    def who(self) -> str:
        """Who asks, and how where that is unusual."""
        return self.caller.value if self.form is HostForm.AS_BOUND else f"{self.caller.value}, as {self.host}"

    @property
    def should_pass(self) -> bool:
        return self.caller is Caller.GOOD


@dataclass(frozen=True, slots=True)
class Answered:
    """The head of an HTTP answer."""

    status: int
    content_type: str | None = None
    by_edge: bool = True
    """Whether it bears the marks of Cloudflare's edge (`server: cloudflare` or `cf-ray`)."""
    challenged: bool = False
    """Whether the edge wants the client to prove something first (`cf-mitigated: challenge`)."""


@dataclass(frozen=True, slots=True)
class RefusedInHandshake:
    """The server ended the TLS handshake because of the client's certificate, or of its absence."""

    alert: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """There was no answer that says anything."""

    why: str


@dataclass(frozen=True, slots=True)
class NotContacted:
    """The hostname leads to an address that must not be contacted."""

    address: str
    objection: str


Answer = Answered | RefusedInHandshake | Unanswered | NotContacted


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a rule answers whom it blocks. `content_type` None: the rule leaves it to Cloudflare."""

    status: int = 403
    content_type: str | None = None

    def looks_like(self, answer: Answered) -> bool:
        """Whether the answer can be this one. Parameters of the content type do not matter."""
        if answer.status != self.status:
            return False
        media_type = (answer.content_type or "").partition(";")[0].strip().lower()
        return self.content_type is None or media_type == self.content_type


class Effect(Enum):
    """What became of a request."""

    LET_THROUGH = "let through"
    BLOCKED = "blocked"
    NOT_SERVED = "not served"
    """Nobody serves the hostname in this form."""
    UNKNOWN = "no answer"
    NOT_CONTACTED = "not contacted"


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one request, and how that was seen."""

    question: Question
    effect: Effect
    seen: str

    @property
    def is_as_it_should_be(self) -> bool | None:
        """Whether it shows what it should; None when it shows nothing."""
        if self.effect in {Effect.UNKNOWN, Effect.NOT_CONTACTED}:
            return None
        return (self.effect is Effect.LET_THROUGH) == self.question.should_pass


def questions_about(hostname: str, callers: Collection[Caller]) -> tuple[Question, ...]:
    """All requests for a hostname, bad clients first. Odd forms of the name are asked for without a certificate: a form
    that a rule does not match is open to any client alike."""
    bad = [Question(hostname, each) for each in Caller if each in callers and each is not Caller.GOOD]
    odd = [Question(hostname, Caller.WITHOUT, form) for form in HostForm if form is not HostForm.AS_BOUND]
    good = [Question(hostname, Caller.GOOD)] if Caller.GOOD in callers else []
    return (*bad, *odd, *good)


def interpret(question: Question, answer: Answer, refusals: Collection[Refusal]) -> Finding:
    """What an answer says, where blocked requests are answered with one of the refusals."""
    match answer:
        case Answered():
            effect, seen = _effect_of(question, answer, refusals)
        case RefusedInHandshake(alert):
            effect, seen = Effect.BLOCKED, f"TLS alert: {alert}"
        case Unanswered(why):
            effect, seen = Effect.UNKNOWN, why
        case NotContacted(address, objection):
            effect, seen = Effect.NOT_CONTACTED, f"{address} is {objection}"
        case _:
            assert_never(answer)
    return Finding(question, effect, seen)


def _effect_of(question: Question, answer: Answered, refusals: Collection[Refusal]) -> tuple[Effect, str]:
    status = f"HTTP {answer.status}"
    if answer.challenged:
        return Effect.UNKNOWN, f"{status}, a challenge of Cloudflare before any answer"
    if any(each.looks_like(answer) for each in refusals):
        if answer.by_edge:
            return Effect.BLOCKED, status
        return Effect.LET_THROUGH, f"{status}, but not from Cloudflare"
    if question.form is not HostForm.AS_BOUND and answer.status in _NOT_SERVED:
        return Effect.NOT_SERVED, status
    return Effect.LET_THROUGH, f"{status}, a redirect" if 300 <= answer.status < 400 else status


def judge(findings: Sequence[Finding], left_out: Sequence[str] = ()) -> Verdict:
    """What is to be said of all findings together: the worst. `left_out` says which clients could not ask, and why."""
    admitted = [each for each in findings if each.is_as_it_should_be is False and not each.question.should_pass]
    plainly = [each for each in admitted if each.question.form is HostForm.AS_BOUND]
    refused = [each for each in findings if each.is_as_it_should_be is False and each.question.should_pass]
    barred = [each for each in findings if each.effect is Effect.NOT_CONTACTED]
    silent = [each for each in findings if each.effect is Effect.UNKNOWN]
    if plainly:
        return _admitted(plainly)
    if admitted:
        return _open_variant(admitted)
    if refused:
        return _refused(refused)
    if barred:
        return _barred(barred)
    return _silent(silent) if silent else _well(findings, left_out)


def _admitted(found: Sequence[Finding]) -> Verdict:
    return blocked(
        Reason.BAD_CLIENT_ADMITTED,
        f"got through: {_named(found)}. Look at what the other conditions say, whether a rule of somebody else lets"
        " requests skip the zone's custom rules, and whether the hostname is proxied by Cloudflare",
    )


def _open_variant(found: Sequence[Finding]) -> Verdict:
    return blocked(
        Reason.HOST_VARIANT_OPEN,
        f"got past the rule by another form of the host name: {_named(found)}. Set hostMatch to Tolerant in the values"
        " of the operator's chart; where it is, look whether a rule of somebody else lets these requests skip ours",
    )


def _refused(found: Sequence[Finding]) -> Verdict:
    return ok(
        Reason.GOOD_CLIENT_REFUSED,
        f"refused: {_named(found)}. Is the certificate valid, and issued by a CA that is in force here? An origin that"
        " answers like the block does at this path looks the same: choose another spec.verification.path, or another"
        " status in spec.enforcement.response",
    )


def _barred(found: Sequence[Finding]) -> Verdict:
    places = sorted({f"{each.question.hostname} ({each.seen})" for each in found})
    return ok(
        Reason.VERIFICATION_REFUSED,
        f"not contacted, because of where the name leads: {_some(places)}. Only addresses of the public internet are"
        " asked, unless verification.allowPrivateAddresses of the operator's chart is true",
    )


def _silent(found: Sequence[Finding]) -> Verdict:
    places = {each.question.hostname: each.seen for each in reversed(found)}
    said = [f"{hostname} ({why})" for hostname, why in sorted(places.items())]
    return ok(Reason.TARGET_UNREACHABLE, f"it cannot be told who gets through: {_some(said)}")


def _well(findings: Sequence[Finding], left_out: Sequence[str]) -> Verdict:
    hostnames = {each.question.hostname for each in findings}
    said = f"{len(hostnames)} hostname(s): every client without an accepted certificate was refused"
    if any(each.question.should_pass for each in findings):
        said += ", and the good one was let through"
    elif left_out:
        said += f". Not tried: {'; '.join(left_out)}"
    else:
        said += (
            ". No good client was tried, so an origin that answers everybody like the block does would look the same:"
            " name one in spec.verification.clientCertificateRef"
        )
    return ok(Reason.VERIFIED, said)


def _named(found: Iterable[Finding]) -> str:
    return _some([f"{each.question.who}, at {each.question.hostname} ({each.seen})" for each in found])


def _some(words: Sequence[str]) -> str:
    more = len(words) - _MOST_NAMED
    return "; ".join(words[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
