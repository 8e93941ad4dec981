"""`cfmtls verify` as a person runs it, against the simulated edge."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mtls_operator.cli import main
from testbed.cloudflare.edge.settings import NORMALISED, EdgeSettings
from tests.contract.edge import clients
from tests.contract.edge.world import HOSTNAME
from tests.contract.outside.guarded import Guarded, guarded_edge, identity_of

TABLE = """\
a.example.com
  WHO ASKS                                               SHOULD BE    WAS
  A client without a certificate                         blocked      blocked (HTTP 403)      ok
  A client with a self-signed certificate                blocked      blocked (HTTP 403)      ok
  A client with a certificate of another CA              blocked      blocked (HTTP 403)      ok
  A client with a revoked certificate                    blocked      let through (HTTP 200)  BAD
  A client without a certificate, as A.EXAMPLE.COM       blocked      blocked (HTTP 403)      ok
  A client without a certificate, as a.example.com.      blocked      blocked (HTTP 403)      ok
  A client without a certificate, as a.example.com:443   blocked      blocked (HTTP 403)      ok
  A client without a certificate, as a.example.com.:443  blocked      blocked (HTTP 403)      ok
  A client with a good certificate                       let through  let through (HTTP 200)  ok

1 of 9 requests did not end as they should.
"""


class Person:
    """Runs the command in a directory of his own."""

    def __init__(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], guarded: Guarded
    ) -> None:
        self._directory, self._monkeypatch, self._capsys = directory, monkeypatch, capsys
        (directory / "edge.pem").write_text(guarded.world.site.trusted)
        self._reach = ("--resolve", f"*:{guarded.world.site.port}:127.0.0.1", "--ca-file", str(directory / "edge.pem"))

    def verifies(self, *more: str, private: bool = True) -> tuple[int, str, str]:
        """Exit code and what was printed on both channels."""
        allowed = ("--allow-private-addresses",) if private else ()
        return self.runs(HOSTNAME, *self._reach, *allowed, *more)

    def runs(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["cfmtls", "verify", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return int(ended.value.code or 0), out, err

    def owns(self, name: str, who: clients.Identity) -> tuple[str, ...]:
        """Arguments that name files with a client's certificate and key."""
        identity = identity_of(who)
        (self._directory / f"{name}.crt").write_bytes(identity.certificate)
        (self._directory / f"{name}.key").write_bytes(identity.key)
        files = (str(self._directory / f"{name}.{kind}") for kind in ("crt", "key"))
        return tuple(word for pair in zip((f"--{name}-cert", f"--{name}-key"), files, strict=True) for word in pair)


@pytest.fixture
def edge() -> object:
    """A hostname that is guarded, at an edge that normalises names."""
    with guarded_edge(EdgeSettings(host=NORMALISED)) as guarded:
        yield guarded


@pytest.fixture
def person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], edge: Guarded
) -> Person:
    return Person(tmp_path, monkeypatch, capsys, edge)


def test_what_is_closed_ends_well(person: Person, edge: Guarded) -> None:
    edge.close()

    code, out, err = person.verifies(*person.owns("client", edge.client()))

    assert (code, err) == (0, "")
    assert out.endswith("Closed to everyone but good clients.\n")


def test_without_a_good_client_the_sum_says_what_was_not_tried(person: Person, edge: Guarded) -> None:
    edge.close()

    code, out, _ = person.verifies()

    assert code == 0
    assert "was not tried" in out


def test_a_revoked_client_that_gets_through_is_seen_at_a_glance(person: Person, edge: Guarded) -> None:
    edge.close()

    code, out, _ = person.verifies(
        *person.owns("client", edge.client()), *person.owns("revoked", edge.client("revoked"))
    )

    assert (code, out) == (1, TABLE)


def test_programs_get_the_same_as_json(person: Person, edge: Guarded) -> None:
    code, out, _ = person.verifies("--output", "json")
    document = json.loads(out)

    assert (code, document["asItShouldBe"]) == (1, False)
    assert document["requests"][0] == {
        "hostname": HOSTNAME,
        "client": "without",
        "host": HOSTNAME,
        "shouldPass": False,
        "effect": "let through",
        "seen": "HTTP 200",
        "asItShouldBe": False,
    }


def test_another_status_of_a_block_can_be_named(person: Person, edge: Guarded) -> None:
    edge.close(action_parameters={"response": {"status_code": 451, "content_type": "text/plain", "content": "no"}})

    assert person.verifies("--expect-status", "451")[0] == 0
    assert person.verifies()[0] == 1


def test_a_private_address_is_not_asked_unless_that_is_allowed(person: Person) -> None:
    code, out, _ = person.verifies(private=False)

    assert code == 2
    assert "not contacted (127.0.0.1 is loopback)  ?" in out


def test_a_server_that_is_not_trusted_tells_nothing(person: Person, edge: Guarded) -> None:
    port = edge.world.site.port

    code, out, _ = person.runs(HOSTNAME, "--resolve", f"{HOSTNAME}:{port}:127.0.0.1", "--allow-private-addresses")

    assert code == 2
    assert "the certificate of its server is not accepted" in out


WRONG = [
    (("API.example.com",), "not a hostname in lower case: 'API.example.com'"),
    (("localhost",), "not a hostname in lower case: 'localhost'"),
    ((HOSTNAME, "--path", "health"), "--path must begin with '/'"),
    ((HOSTNAME, "--path", "/a b"), "--path must begin with '/'"),
    ((HOSTNAME, "--resolve", "a:b:c"), "--resolve takes HOST:PORT:ADDRESS"),
    ((HOSTNAME, "--resolve", f"{HOSTNAME}:443:nowhere"), "--resolve takes HOST:PORT:ADDRESS"),
    ((HOSTNAME, "--client-cert", "client.pem"), "--client-cert and --client-key belong together"),
    ((HOSTNAME, "--client-cert", "/nowhere", "--client-key", "/nowhere"), "/nowhere cannot be read"),
    ((HOSTNAME, "--ca-file", "/nowhere"), "/nowhere cannot be read"),
    ((), "arguments are required: hostname"),
]


@pytest.mark.parametrize(("arguments", "complaint"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
def test_a_wrong_use_is_named(person: Person, arguments: tuple[str, ...], complaint: str) -> None:
    code, out, err = person.runs(*arguments)

    assert (code, out) == (2, "")
    assert complaint in err


def test_a_ca_file_that_holds_no_certificate_is_named(person: Person, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")

    code, _, err = person.runs(HOSTNAME, "--ca-file", str(tmp_path / "empty.pem"))

    assert code == 2
    assert "holds no certificate" in err


def test_a_key_that_does_not_fit_is_named_without_anything_of_it(person: Person, edge: Guarded) -> None:
    certificate = person.owns("client", edge.client("one"))[:2]
    key = person.owns("revoked", edge.client("another"))[2:]

    code, _, err = person.verifies(*certificate, "--client-key", key[1])

    assert code == 2
    assert "certificate and private key do not go together" in err
