"""The configuration file of the operator, which the chart writes.

It is strict: an unknown key or a value of the wrong type stops the operator at its start with a message that
names the key. A misspelt `takeover` or `settleSeconds` that is silently ignored would act on other people's
hostnames. Messages never quote values, because a token pasted into the wrong place would end in the log.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

# Overrides `server.port`: two operators on one machine can share a file.
PORT_VARIABLE: Final = "CFMTLS_SERVER_PORT"

# How old a read from Cloudflare may be. Unassociate to DELETE took up to 90 s in others' live tests.
DEFAULT_CONSISTENCY_WINDOW: Final = 90.0
# "Five CAs per account, more by agreement" (Cloudflare's documentation of API Shield mTLS).
DEFAULT_CERTIFICATE_LIMIT: Final = 5

# An Enterprise zone has 1,000 custom rules. A tenth of them holds some 6,000 serial numbers of 20 bytes, and leaves
# room for claims, enforcement and everybody else's rules.
DEFAULT_REVOCATION_RULES: Final = 100

OwnerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,63}$")]
AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Name = Annotated[str, StringConstraints(min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]


class ConfigurationError(Exception):
    """The operator cannot start with this configuration. `fields` are the keys at fault, as the file spells them."""

    def __init__(self, source: str, problems: Mapping[str, str]) -> None:
        self.fields = tuple(problems)
        listed = "; ".join(f"{field}: {problem}" if field else problem for field, problem in problems.items())
        super().__init__(f"configuration {source}: {listed}")


class _Section(BaseModel):
    """camelCase in the file, snake_case here, immutable, no key that it does not know."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=True)


class HostMatch(StrEnum):
    """How a rule recognises a hostname: exactly, or with a trailing dot and a port as well."""

    EXACT = "Exact"
    TOLERANT = "Tolerant"


class SecretKey(_Section):
    """A key of a Secret in the operator's own namespace."""

    name: Name
    key: Name


class CloudflareSettings(_Section):
    """How to talk to Cloudflare, and how long its answers may lag behind (seconds)."""

    base_url: str = "https://api.cloudflare.com/client/v4"
    token_secret_ref: SecretKey | None = None
    consistency_window_seconds: Seconds = DEFAULT_CONSISTENCY_WINDOW
    settle_seconds: Seconds = Field(
        default_factory=lambda checked: checked.get("consistency_window_seconds", DEFAULT_CONSISTENCY_WINDOW)
    )
    certificate_limit: Annotated[int, Field(ge=1)] = DEFAULT_CERTIFICATE_LIMIT

    @field_validator("base_url")
    @classmethod
    def _is_a_plain_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http or https URL")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must be a URL without user, password, query or fragment")
        return value.rstrip("/")

    @field_validator("settle_seconds", mode="before")
    @classmethod
    def _null_is_absent(cls, value: object, info: ValidationInfo) -> object:
        window = info.data.get("consistency_window_seconds", DEFAULT_CONSISTENCY_WINDOW)
        return window if value is None else value

    @field_validator("settle_seconds")
    @classmethod
    def _covers_the_window(cls, value: float, info: ValidationInfo) -> float:
        window = info.data.get("consistency_window_seconds", 0)
        if value < window:
            raise ValueError(f"must not be below consistencyWindowSeconds, which is {window:g}")
        return value


class AllowedUse(_Section):
    """Who may use the operator's own token, and for what: all of the lists apply, an absent one means any."""

    namespaces: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    accounts: Annotated[tuple[AccountId, ...], Field(min_length=1)] | None = None
    zones: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    hostnames: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None


class OperatorCredentials(_Section):
    """`allowed` absent: the release namespace, for anything. An empty list: nobody."""

    allowed: tuple[AllowedUse, ...] | None = None


class Predecessor(_Section):
    """An installation that is gone and whose claims and rules are ours now."""

    owner_id: OwnerId
    cluster_uid: Name = Field(alias="clusterUID")


class VerificationSettings(_Section):
    """The check from outside. `ca_bundle`: CAs (PEM) that servers are verified against in place of the system's;
    `connect_to`: where Cloudflare's edge is in place of what the DNS says, for a simulated one."""

    allow_private_addresses: bool = False
    timeout_seconds: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 5.0
    ca_bundle: Annotated[str, StringConstraints(pattern=r"-----BEGIN CERTIFICATE-----")] | None = None
    connect_to: Annotated[str, StringConstraints(pattern=r"^([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$")] | None = None

    @property
    def edge(self) -> tuple[str, int] | None:
        """Address and port of `connect_to`."""
        if self.connect_to is None:
            return None
        address, _, port = self.connect_to.rpartition(":")
        return address.strip("[]"), int(port)

    @field_validator("connect_to")
    @classmethod
    def _is_an_address_with_a_port(cls, value: str | None) -> str | None:
        if value is not None:
            address, _, port = value.rpartition(":")
            try:
                ip_address(address.strip("[]"))
            except ValueError:
                raise ValueError("must be an IP address and a port, such as 127.0.0.1:8443 or [::1]:8443") from None
            if not 0 < int(port) <= 65535:
                raise ValueError("must have a port from 1 to 65535")
        return value


class RevocationSettings(_Section):
    """How many rules about revoked certificates a zone may have; newest revocations first."""

    max_rules_per_zone: Annotated[int, Field(ge=1, le=1000)] = DEFAULT_REVOCATION_RULES


class LoggingSettings(_Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["json", "plain"] = "json"


class ServerSettings(_Section):
    """Where probes and metrics are served. Port 0: any free one."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8080


class Configuration(_Section):
    """`owner_id` None: the UID of the namespace kube-system."""

    owner_id: OwnerId | None = None
    cloudflare: CloudflareSettings = CloudflareSettings()
    operator_credentials: OperatorCredentials = OperatorCredentials()
    takeover: tuple[Predecessor, ...] = ()
    host_match: HostMatch = HostMatch.EXACT
    verification: VerificationSettings = VerificationSettings()
    revocation: RevocationSettings = RevocationSettings()
    logging: LoggingSettings = LoggingSettings()
    server: ServerSettings = ServerSettings()

    @model_validator(mode="after")
    def _takes_nothing_over_from_itself_twice(self) -> Self:
        if len(set(self.takeover)) != len(self.takeover):
            raise ValueError("takeover names an installation twice")
        return self


def load_configuration(path: str | Path, environment: Mapping[str, str] | None = None) -> Configuration:
    """Read the YAML file. Raises ConfigurationError, which names the key at fault."""
    source = str(path)
    document = _document(source, Path(path))
    port = _port(source, os.environ if environment is None else environment)
    if port is not None:
        server = document.get("server") or {}
        document["server"] = {**server, "port": port} if isinstance(server, dict) else server
    try:
        # Through JSON: strict validation then takes lists for tuples, and nothing else that YAML invents.
        return Configuration.model_validate_json(json.dumps(document, default=str), by_alias=True, by_name=False)
    except ValidationError as error:
        raise ConfigurationError(source, _problems(error)) from None


def _document(source: str, path: Path) -> dict[str, object]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(source, {"": f"cannot be read: {type(error).__name__}"}) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(source, {"": f"is not YAML{_line(error)}"}) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigurationError(source, {"": "must be a mapping of keys"})
    # An empty section (`cloudflare:` with nothing below it) means its default values.
    return {str(key): value for key, value in document.items() if value is not None}


def _line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", see line {mark.line + 1}" if isinstance(mark, yaml.Mark) else ""


def _port(source: str, environment: Mapping[str, str]) -> int | None:
    text = environment.get(PORT_VARIABLE)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise ConfigurationError(source, {f"environment variable {PORT_VARIABLE}": "must be a port number"})
    return int(text)


def _problems(error: ValidationError) -> dict[str, str]:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    places = [detail["loc"] for detail in details]
    return {
        _dotted(detail["loc"]): _said(detail["type"], detail["msg"])
        for detail in details
        # What only follows from another error would distract from it: a default that rests on a wrong field,
        # a list that is too short because its items are wrong.
        if detail["type"] != "default_factory_not_called" and not _is_around_another(detail["loc"], places)
    }


def _is_around_another(place: tuple[int | str, ...], places: list[tuple[int | str, ...]]) -> bool:
    return any(len(other) > len(place) and other[: len(place)] == place for other in places)


def _dotted(location: tuple[int | str, ...]) -> str:
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return words.removeprefix(".")


def _said(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key; remove it or correct its spelling"
    return message.removeprefix("Value error, ").replace("Input should be", "must be")
