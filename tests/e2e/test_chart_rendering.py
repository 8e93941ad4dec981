"""What the chart makes of its values, and what it refuses."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mtls_operator.configuration import Configuration, load_configuration
from testbed.controlplane import ControlPlane
from tests.e2e.chart_release import Manifest, Values, of_kind, refusal, render, the

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
ACCOUNT = "0123456789abcdef0123456789abcdef"
EVERYTHING: Values = {
    "ownerId": "eu-1",
    "cloudflare": {
        "baseUrl": "http://127.0.0.1:8787/client/v4",
        "consistencyWindow": 0.5,
        "settleTime": 2,
        "certificateLimit": 7,
        "token": {"existingSecret": {"name": "cloudflare", "key": "api-token"}},
    },
    "operatorCredentials": {
        "allowed": [
            {"namespaces": ["a"], "accounts": [ACCOUNT], "zones": ["example.com"], "hostnames": ["*.example.com"]},
            {"namespaces": ["b"]},
        ]
    },
    "takeover": [{"ownerId": "old", "clusterUID": "11111111-2222-3333-4444-555555555555"}],
    "hostMatch": "Tolerant",
    "verification": {
        "allowPrivateAddresses": True,
        "timeout": 2,
        "caBundle": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "connectTo": "127.0.0.1:8443",
    },
    "revocation": {"maxRulesPerZone": 12},
    "logging": {"level": "DEBUG", "format": "plain"},
}


def configuration_text(plane: ControlPlane, values: Values) -> str:
    """The operator's configuration file."""
    text: str = the(render(plane, values), "ConfigMap")["data"]["config.yaml"]
    return text


def configuration(plane: ControlPlane, values: Values, directory: Path) -> Configuration:
    """The same as the operator reads it."""
    path = directory / "config.yaml"
    path.write_text(configuration_text(plane, values), encoding="utf-8")
    return load_configuration(path, {})


def pod(plane: ControlPlane, values: Values) -> Manifest:
    """The template of the operator's pod."""
    template: Manifest = the(render(plane, values), "Deployment")["spec"]["template"]
    return template


def container(plane: ControlPlane, values: Values) -> Manifest:
    """The operator's container."""
    (only,) = pod(plane, values)["spec"]["containers"]
    found: Manifest = only
    return found


def test_without_values_the_operator_gets_the_configuration_that_it_has_by_itself(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    assert configuration(control_plane, {}, tmp_path) == Configuration()


def test_every_value_reaches_the_operator(control_plane: ControlPlane, tmp_path: Path) -> None:
    expected = Configuration.model_validate_json(
        """{"ownerId": "eu-1", "hostMatch": "Tolerant", "revocation": {"maxRulesPerZone": 12},
            "verification": {"allowPrivateAddresses": true, "timeoutSeconds": 2, "connectTo": "127.0.0.1:8443",
                "caBundle": "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"},
            "logging": {"level": "DEBUG", "format": "plain"},
            "cloudflare": {"baseUrl": "http://127.0.0.1:8787/client/v4", "consistencyWindowSeconds": 0.5,
                           "settleSeconds": 2, "certificateLimit": 7,
                           "tokenSecretRef": {"name": "cloudflare", "key": "api-token"}},
            "operatorCredentials": {"allowed": [
                {"namespaces": ["a"], "accounts": ["0123456789abcdef0123456789abcdef"], "zones": ["example.com"],
                 "hostnames": ["*.example.com"]}, {"namespaces": ["b"]}]},
            "takeover": [{"ownerId": "old", "clusterUID": "11111111-2222-3333-4444-555555555555"}]}"""
    )

    assert configuration(control_plane, EVERYTHING, tmp_path) == expected


def test_a_value_that_is_not_given_leaves_its_key_out(control_plane: ControlPlane) -> None:
    assert configuration_text(control_plane, {}) == "{}\n"


def test_nobody_may_use_the_operators_token_where_the_list_is_empty(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    nobody = configuration(control_plane, {"operatorCredentials": {"allowed": []}}, tmp_path)

    assert nobody.operator_credentials.allowed == ()


def test_an_owner_id_of_digits_stays_a_string(control_plane: ControlPlane, tmp_path: Path) -> None:
    assert configuration(control_plane, {"ownerId": "007"}, tmp_path).owner_id == "007"


def test_a_token_given_as_a_value_is_in_a_secret_to_which_the_configuration_points(
    control_plane: ControlPlane,
) -> None:
    manifests = render(control_plane, {"cloudflare": {"token": {"value": "secret-token"}}})
    secret, config = the(manifests, "Secret"), the(manifests, "ConfigMap")["data"]["config.yaml"]

    assert {key: base64.b64decode(value) for key, value in secret["data"].items()} == {"token": b"secret-token"}
    assert f"name: {secret['metadata']['name']}\n" in config
    assert "secret-token" not in config


def test_an_existing_secret_is_not_made_again(control_plane: ControlPlane) -> None:
    assert of_kind(render(control_plane, EVERYTHING), "Secret") == []


def test_without_a_token_there_is_neither_a_secret_nor_a_role_for_one(control_plane: ControlPlane) -> None:
    manifests = render(control_plane)

    assert of_kind(manifests, "Secret") == of_kind(manifests, "Role") == of_kind(manifests, "RoleBinding") == []


def test_the_operator_finds_what_it_is_told_by_its_contract_with_the_chart(control_plane: ControlPlane) -> None:
    operator = container(control_plane, {})
    environment = {entry["name"]: entry for entry in operator["env"]}

    assert operator["args"] == ["run", "--config", "/etc/cfmtls/config.yaml"]
    assert environment["POD_NAMESPACE"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
    assert environment["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert environment["CFMTLS_SERVER_PORT"]["value"] == "8080"
    assert {"name": "config", "mountPath": "/etc/cfmtls", "readOnly": True} in operator["volumeMounts"]


def test_probes_ask_the_port_that_the_operator_serves(control_plane: ControlPlane) -> None:
    operator = container(control_plane, {})

    assert operator["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert operator["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert operator["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_two_operators_never_run_at_once(control_plane: ControlPlane) -> None:
    deployment = the(render(control_plane), "Deployment")["spec"]

    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def test_a_changed_configuration_is_a_new_pod(control_plane: ControlPlane) -> None:
    before, after = pod(control_plane, {}), pod(control_plane, {"hostMatch": "Tolerant"})

    assert before["metadata"]["annotations"] != after["metadata"]["annotations"]


def test_a_changed_token_is_not_a_new_pod(control_plane: ControlPlane) -> None:
    old, new = ({"cloudflare": {"token": {"value": token}}} for token in ("old", "new"))

    assert pod(control_plane, old) == pod(control_plane, new)


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "cloudflare-mtls-operator:0.1.0"),
        ({"repository": "images.example.com/it", "tag": "1.2"}, "images.example.com/it:1.2"),
        ({"tag": "1.2", "digest": DIGEST}, f"cloudflare-mtls-operator@{DIGEST}"),
    ],
)
def test_the_image_is_the_one_that_the_values_name(
    control_plane: ControlPlane, image: Mapping[str, Any], reference: str
) -> None:
    assert container(control_plane, {"image": image})["image"] == reference


def test_a_service_monitor_brings_its_service_along(control_plane: ControlPlane) -> None:
    manifests = render(control_plane, {"metrics": {"serviceMonitor": {"enabled": True}}})
    service, monitor = the(manifests, "Service"), the(manifests, "ServiceMonitor")

    assert service["spec"]["ports"][0]["name"] == monitor["spec"]["endpoints"][0]["port"]
    assert service["metadata"]["labels"].items() >= monitor["spec"]["selector"]["matchLabels"].items()


def test_everything_namespaced_is_in_the_namespace_of_the_release(control_plane: ControlPlane) -> None:
    manifests = render(control_plane, {"cloudflare": {"token": {"value": "secret-token"}}}, namespace="elsewhere")
    namespaces = {manifest["kind"]: manifest["metadata"].get("namespace") for manifest in manifests}

    assert namespaces == {
        "ServiceAccount": "elsewhere",
        "Secret": "elsewhere",
        "ConfigMap": "elsewhere",
        "CustomResourceDefinition": None,
        "ClusterRole": None,
        "ClusterRoleBinding": None,
        "Role": "elsewhere",
        "RoleBinding": "elsewhere",
        "Deployment": "elsewhere",
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bogus": 1}, "additional properties 'bogus' not allowed"),
        ({"cloudflare": {"tokens": {}}}, "at '/cloudflare': additional properties 'tokens' not allowed"),
        ({"ownerId": "eu/1"}, "at '/ownerId'"),
        ({"ownerId": "x" * 64}, "at '/ownerId'"),
        ({"ownerId": ""}, "at '/ownerId'"),
        ({"ownerId": 7}, "at '/ownerId'"),
        ({"hostMatch": "Loose"}, "at '/hostMatch'"),
        ({"revocation": {"maxRulesPerZone": 0}}, "at '/revocation/maxRulesPerZone'"),
        ({"logging": {"level": "info"}}, "at '/logging/level'"),
        ({"cloudflare": {"baseUrl": "api.cloudflare.com"}}, "at '/cloudflare/baseUrl'"),
        ({"cloudflare": {"baseUrl": "https://user@api.cloudflare.com"}}, "at '/cloudflare/baseUrl'"),
        ({"cloudflare": {"consistencyWindow": 0}}, "at '/cloudflare/consistencyWindow'"),
        ({"cloudflare": {"consistencyWindow": "90s"}}, "at '/cloudflare/consistencyWindow'"),
        ({"cloudflare": {"certificateLimit": 0}}, "at '/cloudflare/certificateLimit'"),
        ({"operatorCredentials": {"allowed": [{"namespace": "a"}]}}, "at '/operatorCredentials/allowed/0'"),
        ({"operatorCredentials": {"allowed": [{"namespaces": []}]}}, "at '/operatorCredentials/allowed/0/namespaces'"),
        ({"operatorCredentials": {"allowed": [{"accounts": ["x"]}]}}, "at '/operatorCredentials/allowed/0/accounts/0'"),
        ({"takeover": [{"ownerId": "old"}]}, "at '/takeover/0'"),
        ({"rbac": {"secretNames": ["*"]}}, "at '/rbac/secretNames/0'"),
        ({"image": {"digest": "sha256:12"}}, "at '/image/digest'"),
        ({"extraEnv": [{"name": "CFMTLS_SERVER_PORT", "value": "1"}]}, "at '/extraEnv/0/name'"),
        ({"cloudflare": {"settleTime": 30}}, "cloudflare.settleTime: 30 is below cloudflare.consistencyWindow"),
        (
            {"cloudflare": {"token": {"value": "t", "existingSecret": {"name": "s"}}}},
            "existingSecret.name and value are both given",
        ),
        ({"cloudflare": {"token": {"existingSecret": {"key": "k"}}}}, "key is given without name"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(control_plane: ControlPlane, values: Values, words: str) -> None:
    assert words in refusal(control_plane, values)
