"""The command lines of etcd, kube-apiserver and kube-controller-manager on the loopback address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec

from testbed.controlplane import programs
from testbed.controlplane.certificates import Authority, KeyPair, key_pem, public_pem
from testbed.controlplane.listening import Server

_LOOPBACK = ("127.0.0.1", "localhost")
_SERVICE_NAMES = tuple(
    f"kubernetes{suffix}" for suffix in ("", ".default", ".default.svc", ".default.svc.cluster.local")
)
_SERVICE_RANGE, _SERVICE_IP = "10.0.0.0/24", "10.0.0.1"

# /readyz says that the hook which makes the first namespaces has begun, not that they are there.
_API_READY = ("/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system")

_CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
)
"""What the testbed needs of the controller manager. There are no nodes, so it must not make pods."""


def _options(options: Mapping[str, str | Path]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items()]


@dataclass(frozen=True, slots=True)
class Identities:
    """The keys and certificates of one control plane, as files."""

    cluster: Authority
    etcd: Authority
    etcd_pair: KeyPair
    api_server: KeyPair
    admin: KeyPair
    controller_manager: KeyPair
    account_key: Path
    """Signs the tokens of service accounts."""
    account_public: Path

    @classmethod
    def create(cls, directory: Path) -> Self:
        cluster = Authority.create(directory / "cluster-ca", "testbed-cluster")
        etcd = Authority.create(directory / "etcd-ca", "testbed-etcd")
        key = ec.generate_private_key(ec.SECP256R1())
        private, public = directory / "service-accounts.key", directory / "service-accounts.pub"
        private.write_bytes(key_pem(key))
        public.write_bytes(public_pem(key))
        return cls(
            cluster=cluster,
            etcd=etcd,
            etcd_pair=etcd.issue("etcd", hosts=_LOOPBACK),
            api_server=cluster.issue("kube-apiserver", hosts=(*_LOOPBACK, *_SERVICE_NAMES, _SERVICE_IP)),
            # The group that RBAC's bootstrap policy binds to cluster-admin.
            admin=cluster.issue("testbed-admin", group="system:masters"),
            controller_manager=cluster.issue("system:kube-controller-manager"),
            account_key=private,
            account_public=public,
        )


def etcd(identities: Identities, directory: Path) -> Server:
    """An etcd for one API server, whose data nobody will miss."""
    program, pair, ca = programs.find("etcd"), identities.etcd_pair, identities.etcd.file

    def command(port: int) -> list[str]:
        url = f"https://127.0.0.1:{port}"
        options: dict[str, str | Path] = {
            "data-dir": directory / f"etcd-{port}",
            "listen-client-urls": url,
            "advertise-client-urls": url,
            # It has no peers, but insists on listening for them: any free port will do.
            "listen-peer-urls": "https://127.0.0.1:0",
            "cert-file": pair.certificate,
            "key-file": pair.key,
            "trusted-ca-file": ca,
            "peer-cert-file": pair.certificate,
            "peer-key-file": pair.key,
            "peer-trusted-ca-file": ca,
            "log-level": "warn",
        }
        return [str(program), *_options(options), "--client-cert-auth", "--peer-client-cert-auth", "--unsafe-no-fsync"]

    return Server("etcd", command, ("/health",), ca, pair)


def api_server(identities: Identities, directory: Path, etcd_url: str, *, accounts: bool) -> Server:
    """An API server with RBAC. `accounts`: pods get service accounts, which needs the controller manager."""
    program = programs.find("kube-apiserver")

    def command(port: int) -> list[str]:
        options: dict[str, str | Path] = {
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": str(port),
            "cert-dir": directory,
            "tls-cert-file": identities.api_server.certificate,
            "tls-private-key-file": identities.api_server.key,
            "client-ca-file": identities.cluster.file,
            "authorization-mode": "RBAC",
            "etcd-servers": etcd_url,
            "etcd-cafile": identities.etcd.file,
            "etcd-certfile": identities.etcd_pair.certificate,
            "etcd-keyfile": identities.etcd_pair.key,
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": identities.account_public,
            "service-account-signing-key-file": identities.account_key,
            "service-cluster-ip-range": _SERVICE_RANGE,
            # It refuses to publish a loopback address as the endpoint of the service kubernetes.
            "endpoint-reconciler-type": "none",
        }
        if not accounts:
            options["disable-admission-plugins"] = "ServiceAccount"
        return [str(program), *_options(options)]

    return Server("kube-apiserver", command, _API_READY, identities.cluster.file, identities.admin)


def controller_manager(identities: Identities, directory: Path, kubeconfig: Path) -> Server:
    """The controllers that delete namespaces and collect garbage, each under its own account as in a real cluster."""
    program, pair = programs.find("kube-controller-manager"), identities.api_server

    def command(port: int) -> list[str]:
        options: dict[str, str | Path] = {
            "bind-address": "127.0.0.1",
            "secure-port": str(port),
            "cert-dir": directory,
            "tls-cert-file": pair.certificate,
            "tls-private-key-file": pair.key,
            "kubeconfig": kubeconfig,
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            "controllers": ",".join(_CONTROLLERS),
            "root-ca-file": identities.cluster.file,
            "service-account-private-key-file": identities.account_key,
            "use-service-account-credentials": "true",
            "leader-elect": "false",
        }
        return [str(program), *_options(options)]

    return Server("kube-controller-manager", command, ("/healthz",), identities.cluster.file, identities.admin)
