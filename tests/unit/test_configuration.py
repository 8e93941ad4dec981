"""What the configuration file may say, and what is said about one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mtls_operator.configuration import (
    AllowedUse,
    Configuration,
    ConfigurationError,
    HostMatch,
    Predecessor,
    SecretKey,
    load_configuration,
)

NOTHING: dict[str, str] = {}

COMPLETE = """
ownerId: prod-1
cloudflare:
  baseUrl: http://127.0.0.1:8787/client/v4/
  tokenSecretRef: {name: cloudflare, key: token}
  consistencyWindowSeconds: 2
  settleSeconds: 3.5
  certificateLimit: 10
operatorCredentials:
  allowed:
    - namespaces: [team-a]
      accounts: [0123456789abcdef0123456789abcdef]
      zones: [example.com]
      hostnames: ["*.example.com"]
    - {}
takeover:
  - {ownerId: old, clusterUID: 5f0759ec-9369-4181-b4ef-000000000000}
hostMatch: Tolerant
verification:
  allowPrivateAddresses: true
  timeoutSeconds: 2
  caBundle: |
    -----BEGIN CERTIFICATE-----
    -----END CERTIFICATE-----
  connectTo: "[::1]:8443"
revocation: {maxRulesPerZone: 12}
logging: {level: DEBUG, format: plain}
server: {port: 9090}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "configuration.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal_of(folder: Path, text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(written(folder, text), NOTHING)
    return caught.value


def test_every_key_is_read(tmp_path: Path) -> None:
    configuration = load_configuration(written(tmp_path, COMPLETE), NOTHING)

    cloudflare = configuration.cloudflare
    assert configuration.owner_id == "prod-1"
    assert cloudflare.base_url == "http://127.0.0.1:8787/client/v4"
    assert cloudflare.token_secret_ref == SecretKey(name="cloudflare", key="token")
    assert (cloudflare.consistency_window_seconds, cloudflare.settle_seconds) == (2, 3.5)
    assert cloudflare.certificate_limit == 10
    assert configuration.operator_credentials.allowed == (
        AllowedUse(
            namespaces=("team-a",),
            accounts=("0123456789abcdef0123456789abcdef",),
            zones=("example.com",),
            hostnames=("*.example.com",),
        ),
        AllowedUse(),
    )
    assert configuration.takeover == (Predecessor(owner_id="old", cluster_uid="5f0759ec-9369-4181-b4ef-000000000000"),)
    assert configuration.host_match is HostMatch.TOLERANT
    verification = configuration.verification
    assert (verification.allow_private_addresses, verification.timeout_seconds) == (True, 2)
    assert "BEGIN CERTIFICATE" in (verification.ca_bundle or "")
    assert verification.edge == ("::1", 8443)
    assert configuration.revocation.max_rules_per_zone == 12
    assert (configuration.logging.level, configuration.logging.format) == ("DEBUG", "plain")
    assert configuration.server.port == 9090


@pytest.mark.parametrize("text", ["", "# nothing\n", "cloudflare:\nserver:\nownerId:\n", "{}"])
def test_what_is_absent_has_its_default(tmp_path: Path, text: str) -> None:
    configuration = load_configuration(written(tmp_path, text), NOTHING)

    assert configuration == Configuration()
    assert configuration.owner_id is None
    assert configuration.cloudflare.base_url == "https://api.cloudflare.com/client/v4"
    assert configuration.cloudflare.token_secret_ref is None
    assert configuration.cloudflare.consistency_window_seconds == 90
    assert configuration.cloudflare.certificate_limit == 5
    assert configuration.operator_credentials.allowed is None
    assert configuration.host_match is HostMatch.EXACT
    assert configuration.revocation.max_rules_per_zone == 100
    assert (configuration.logging.level, configuration.logging.format) == ("INFO", "json")
    assert configuration.server.port == 8080


@pytest.mark.parametrize(
    "text",
    [
        "cloudflare: {consistencyWindowSeconds: 120}",
        "cloudflare: {consistencyWindowSeconds: 120, settleSeconds: null}",
        "cloudflare: {consistencyWindowSeconds: 120, settleSeconds: 120}",
    ],
)
def test_the_settle_time_is_the_window_when_it_is_absent(tmp_path: Path, text: str) -> None:
    configuration = load_configuration(written(tmp_path, text), NOTHING)

    assert configuration.cloudflare.settle_seconds == 120


def test_an_empty_list_of_uses_allows_nobody_and_is_not_the_default(tmp_path: Path) -> None:
    configuration = load_configuration(written(tmp_path, "operatorCredentials: {allowed: []}"), NOTHING)

    assert configuration.operator_credentials.allowed == ()


def test_the_environment_overrides_the_port(tmp_path: Path) -> None:
    path = written(tmp_path, "server: {port: 9090}")

    assert load_configuration(path, {"CFMTLS_SERVER_PORT": "9191"}).server.port == 9191


def test_the_environment_sets_a_port_that_the_file_does_not_name(tmp_path: Path) -> None:
    path = written(tmp_path, "")

    assert load_configuration(path, {"CFMTLS_SERVER_PORT": "0"}).server.port == 0


@pytest.mark.parametrize("port", ["http", "-1", "65536", "8080.0", "٣"])
def test_a_port_in_the_environment_that_is_none_is_named(tmp_path: Path, port: str) -> None:
    path = written(tmp_path, "")

    with pytest.raises(ConfigurationError, match="CFMTLS_SERVER_PORT: must be a port number"):
        load_configuration(path, {"CFMTLS_SERVER_PORT": port})


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("ownerID: a", "ownerID", "unknown key"),
        ("owner_id: a", "owner_id", "unknown key"),
        ("cloudflare: {baseURL: https://x}", "cloudflare.baseURL", "unknown key"),
        ("takeover: [{ownerId: a, clusterUID: b, more: c}]", "takeover[0].more", "unknown key"),
        ("takeover: [{ownerId: a}]", "takeover[0].clusterUID", "required"),
        ("operatorCredentials: {allowed: [{namespace: [a]}]}", "operatorCredentials.allowed[0].namespace", "unknown"),
        ("operatorCredentials: {allowed: [{namespaces: []}]}", "operatorCredentials.allowed[0].namespaces", "at least"),
        ("operatorCredentials: {allowed: [{accounts: [x]}]}", "operatorCredentials.allowed[0].accounts[0]", "pattern"),
        ("ownerId: a b", "ownerId", "pattern"),
        ("ownerId: 17", "ownerId", "string"),
        (f"ownerId: {'a' * 64}", "ownerId", "pattern"),
        ('ownerId: ""', "ownerId", "pattern"),
        ("cloudflare: {settleSeconds: 89}", "cloudflare.settleSeconds", "consistencyWindowSeconds, which is 90"),
        ("cloudflare: {consistencyWindowSeconds: 0}", "cloudflare.consistencyWindowSeconds", "greater than 0"),
        ("cloudflare: {consistencyWindowSeconds: .inf}", "cloudflare.consistencyWindowSeconds", "finite"),
        ("cloudflare: {consistencyWindowSeconds: .nan}", "cloudflare.consistencyWindowSeconds", "finite"),
        ("cloudflare: {consistencyWindowSeconds: '90'}", "cloudflare.consistencyWindowSeconds", "number"),
        ("cloudflare: {certificateLimit: 0}", "cloudflare.certificateLimit", "greater than"),
        ("cloudflare: {certificateLimit: true}", "cloudflare.certificateLimit", "integer"),
        ("cloudflare: {baseUrl: api.cloudflare.com}", "cloudflare.baseUrl", "http or https"),
        ("cloudflare: {baseUrl: 'https://u:p@x'}", "cloudflare.baseUrl", "without user"),
        ("cloudflare: {tokenSecretRef: {name: a}}", "cloudflare.tokenSecretRef.key", "required"),
        ("cloudflare: []", "cloudflare", "object"),
        ("revocation: {maxRulesPerZone: 0}", "revocation.maxRulesPerZone", "greater than"),
        ("hostMatch: exact", "hostMatch", "'Exact' or 'Tolerant'"),
        ("logging: {level: info}", "logging.level", "'INFO'"),
        ("server: {port: '8080'}", "server.port", "integer"),
        ("server: 8080", "server", "object"),
        ("1: 2", "1", "unknown key"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_wrong(tmp_path: Path, text: str, field: str, said: str) -> None:
    error = refusal_of(tmp_path, text)

    assert error.fields == (field,)
    assert f"{field}: " in str(error)
    assert said in str(error)
    assert "configuration.yaml" in str(error)


def test_all_wrong_keys_are_named_at_once(tmp_path: Path) -> None:
    error = refusal_of(tmp_path, "ownerID: a\nhostMatch: b\n")

    assert set(error.fields) == {"ownerID", "hostMatch"}


def test_an_installation_is_taken_over_once(tmp_path: Path) -> None:
    error = refusal_of(tmp_path, "takeover: [{ownerId: a, clusterUID: b}, {ownerId: a, clusterUID: b}]")

    assert "takeover names an installation twice" in str(error)


@pytest.mark.parametrize(
    ("text", "said"), [("a: [", "is not YAML, see line 1"), ("- a", "a mapping"), ("word", "a mapping")]
)
def test_a_file_that_is_no_configuration_says_so(tmp_path: Path, text: str, said: str) -> None:
    error = refusal_of(tmp_path, text)

    assert said in str(error)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml: cannot be read: FileNotFoundError"):
        load_configuration(tmp_path / "absent.yaml", NOTHING)


@pytest.mark.parametrize(
    "text",
    [
        "cloudflare: {token: very-secret-token-1}",
        "cloudflare: {baseUrl: very-secret-token-1}",
        "cloudflare: {tokenSecretRef: very-secret-token-1}",
        "ownerId: [very-secret-token-1]",
        "ownerId: very-secret-token-1 [",
        "logging: {level: very-secret-token-1}",
    ],
)
def test_a_token_in_the_wrong_place_is_not_quoted(tmp_path: Path, text: str) -> None:
    error = refusal_of(tmp_path, text)

    assert "very-secret-token-1" not in f"{error} {error!r} {error.__cause__!r}"


def test_a_configuration_does_not_change() -> None:
    configuration = Configuration()

    with pytest.raises(ValidationError, match="frozen"):
        Configuration.__setattr__(configuration, "owner_id", "other")


def test_without_a_word_the_check_from_outside_asks_the_public_internet_alone(tmp_path: Path) -> None:
    verification = load_configuration(written(tmp_path, "{}"), NOTHING).verification

    assert (verification.allow_private_addresses, verification.timeout_seconds) == (False, 5)
    assert (verification.ca_bundle, verification.edge) == (None, None)


@pytest.mark.parametrize(
    "place", ["127.0.0.1", "edge:443", "127.0.0.1:0", "127.0.0.1:70000", "300.0.0.1:443", "::1:443"]
)
def test_where_to_connect_is_an_address_with_a_port(tmp_path: Path, place: str) -> None:
    refusal = refusal_of(tmp_path, f'verification: {{connectTo: "{place}"}}')

    assert refusal.fields == ("verification.connectTo",)


def test_a_ca_bundle_has_to_hold_a_certificate(tmp_path: Path) -> None:
    assert refusal_of(tmp_path, "verification: {caBundle: nothing}").fields == ("verification.caBundle",)
