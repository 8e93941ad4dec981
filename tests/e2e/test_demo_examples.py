"""Every example works as it stands: the commands of its comment are run, it becomes Ready, and it goes entirely."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.cloudflare.state import State
from testbed.demo.stage import ACCOUNT, OTHER_ZONES, ROOT, ZONE, ZONE_NAME
from tests.certificates import crl_pem, make_ca, make_crl
from tests.e2e.waiting import PATIENCE
from tests.e2e.world import OWNER, World

TIMEOUT = f"--timeout={PATIENCE:.0f}s"
QUICKSTART = "examples/quickstart/"
EXAMPLES = [QUICKSTART, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "examples").glob("*.yaml"))]
ACCOUNT_TOKEN = "account-t0ken-" + "k3Wq" * 6
ZONE_TOKEN = "zone-t0ken-" + "p7Xs" * 6


@dataclass(frozen=True)
class User:
    """Somebody who has the account and the zones of the examples, and runs what the examples say."""

    world: World

    def follow(self, example: str) -> None:
        """Run the commands of the example's comment, in the current directory."""
        for command in commands(example):
            self.kubectl(*shlex.split(command.replace("examples/", f"{ROOT}/examples/"))[1:])

    def kubectl(self, *arguments: str) -> str:
        return self.world.cluster.kubectl(*arguments).stdout

    def resources(self, example: str) -> list[str]:
        """Both kinds of the example, as arguments for kubectl, each with its namespace."""
        template = "{.metadata.namespace}/{.kind}/{.metadata.name}{'\\n'}"
        output = f"jsonpath={{range .items[?(@.apiVersion=='apishield-mtls.io/v1alpha1')]}}{template}{{end}}"
        return self.kubectl("get", "-f", str(ROOT / example), "-o", output).split()

    def wait(self, resources: Sequence[str], condition: str) -> None:
        for resource in resources:
            namespace, name = resource.split("/", 1)
            self.kubectl("wait", f"--for={condition}", TIMEOUT, "--namespace", namespace, name)

    def delete(self, resources: Sequence[str]) -> None:
        """CAs and bindings; namespaces stay, as nothing here deletes their content."""
        for resource in resources:
            namespace, name = resource.split("/", 1)
            self.kubectl("delete", "--wait=false", "--namespace", namespace, name)


def commands(example: str) -> list[str]:
    """What the comment of an example tells its reader to run. The quickstart's is in the README."""
    if example == QUICKSTART:
        return [f"kubectl apply -f {QUICKSTART}"]
    return re.findall(r"^#   (kubectl .*)$", (ROOT / example).read_text(), re.MULTILINE)


def held_by(state: State) -> tuple[int, dict[str, frozenset[str]]]:
    """How many certificates the account holds, and the hostnames of each list of its zones."""
    zones = {ZONE: ZONE_NAME, **OTHER_ZONES}
    lists = {zones[zone]: names for (zone, _), names in state.lists.items() if zone in zones}
    return len(state.certificates[ACCOUNT]), lists


@pytest.fixture(scope="module")
def account(common_world: World) -> None:
    """The account of the examples with its zones and the tokens of token-per-resource."""
    simulation = common_world.simulation
    simulation.add_account(ACCOUNT)
    for zone_id, name in {ZONE: ZONE_NAME, **OTHER_ZONES}.items():
        simulation.add_zone(zone_id, name, ACCOUNT)
    simulation.add_token(ACCOUNT_TOKEN, owner=OWNER, permissions={ACCOUNT: ["ssl_certs:edit"]})
    permissions = {ZONE: ["zone_ssl:edit", "waf:edit", "zone:read"]}
    simulation.add_token(ZONE_TOKEN, owner=OWNER, permissions=permissions)


@pytest.fixture
def user(world: World, account: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> User:
    """The user in a directory with the files that the comments name."""
    ca = make_ca("CA of the examples")
    (tmp_path / "ca.crt").write_text(ca.pem)
    (tmp_path / "crl.pem").write_text(crl_pem(make_crl(ca)))
    (tmp_path / "account-token.txt").write_text(ACCOUNT_TOKEN)
    (tmp_path / "zone-token.txt").write_text(ZONE_TOKEN)
    monkeypatch.chdir(tmp_path)
    return User(world)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_becomes_ready_as_its_comment_says_and_leaves_nothing(user: User, example: str) -> None:
    user.follow(example)
    resources = user.resources(example)
    user.wait(resources, "condition=Ready")
    certificates, lists = held_by(user.world.simulation.state)

    user.delete(resources)
    user.wait(resources, "delete")

    assert certificates == 1
    assert lists != {}
    assert held_by(user.world.simulation.state) == (0, {})
