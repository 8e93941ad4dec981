"""image/build.sh chooses a builder that works and hands it what the build needs.

The builders are scripts of these tests that answer as the real ones do and write down how they were called.
image/prove.sh builds with a real one.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NEEDED = ("sh", "dirname", "sed", "head", "mktemp", "rm", "cat", "grep", "printenv")

# `info` answers as given; `build` writes its arguments and the content of each secret beside the script.
BUILDER = """#!/bin/sh
if [ "$1" = info ]; then {info}; fi
printf '%s\\n' "$@" >"$0.arguments"
printf '%s\\n' "${{BUILDAH_ISOLATION:-}}" >"$0.isolation"
for word in "$@"; do
    case $word in id=*,src=*) cat "${{word#*src=}}" >"$0.${{word%%,*}}" ;; esac
done
"""
WORKS = "echo 27.0; exit 0"
# What docker's client does without an engine: it talks about itself, and some versions call that a success.
NO_ENGINE = "echo 'Cannot connect to the Docker daemon' >&2; exit {status}"


@dataclass(frozen=True)
class Machine:
    """A checkout with a lock file, and a PATH with nothing but what the script needs and the builders given."""

    directory: Path

    @property
    def programs(self) -> Path:
        return self.directory / "programs"

    def with_builder(self, name: str, info: str) -> None:
        """Install a builder."""
        path = self.programs / name
        path.write_text(BUILDER.format(info=info), encoding="utf-8")
        path.chmod(0o755)

    def build(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        variables = {"PATH": str(self.programs), "HOME": str(self.directory), **(environment or {})}
        command = [str(self.directory / "image" / "build.sh"), *arguments]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)

    def written(self, name: str) -> str:
        """What a builder wrote down."""
        return (self.programs / name).read_text(encoding="utf-8")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Without any builder."""
    (tmp_path / "image").mkdir()
    (tmp_path / "requirements").mkdir()
    (tmp_path / "programs").mkdir()
    shutil.copy(ROOT / "image" / "build.sh", tmp_path / "image")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "requirements" / "runtime.txt").touch()
    for program in NEEDED:
        (tmp_path / "programs" / program).symlink_to(str(shutil.which(program)))
    return Machine(tmp_path)


@pytest.mark.parametrize("status", [0, 1])
def test_a_docker_client_without_an_engine_is_passed_over(machine: Machine, status: int) -> None:
    machine.with_builder("docker", NO_ENGINE.format(status=status))
    machine.with_builder("buildah", WORKS)

    done = machine.build()

    assert "with buildah" in done.stderr
    assert machine.written("buildah.arguments").startswith("build\n")
    assert not (machine.programs / "docker.arguments").exists()


def test_a_docker_that_works_comes_first(machine: Machine) -> None:
    machine.with_builder("docker", WORKS)
    machine.with_builder("podman", WORKS)

    machine.build()

    assert (machine.programs / "docker.arguments").exists()
    assert not (machine.programs / "podman.arguments").exists()


def test_the_user_can_choose_the_builder(machine: Machine) -> None:
    machine.with_builder("docker", WORKS)
    machine.with_builder("podman", WORKS)

    machine.build(environment={"IMAGE_BUILDER": "podman"})

    assert (machine.programs / "podman.arguments").exists()


def test_a_chosen_builder_that_does_not_work_is_not_replaced_in_silence(machine: Machine) -> None:
    machine.with_builder("docker", NO_ENGINE.format(status=1))
    machine.with_builder("buildah", WORKS)

    done = machine.build(environment={"IMAGE_BUILDER": "docker"})

    assert done.returncode == 1
    assert "IMAGE_BUILDER=docker does not work here" in done.stderr


def test_without_any_builder_it_says_what_to_do(machine: Machine) -> None:
    done = machine.build()

    assert done.returncode == 1
    assert "none of docker, podman and buildah works here. Start an engine, or install buildah" in done.stderr


def test_a_missing_lock_file_is_named(machine: Machine) -> None:
    machine.with_builder("buildah", WORKS)
    (machine.directory / "requirements" / "runtime.txt").unlink()

    done = machine.build()

    assert done.returncode == 1
    assert "requirements/runtime.txt" in done.stderr


def test_buildah_without_an_oci_runtime_builds_in_a_chroot(machine: Machine) -> None:
    machine.with_builder("buildah", WORKS)

    machine.build()

    assert machine.written("buildah.isolation") == "chroot\n"


def test_the_package_index_is_a_secret_and_stands_on_no_command_line(machine: Machine) -> None:
    machine.with_builder("buildah", WORKS)

    machine.build(environment={"PIP_INDEX_URL": "https://user:password@index.example.com/simple"})

    assert machine.written("buildah.id=pip.conf") == (
        "[global]\nindex-url = https://user:password@index.example.com/simple\n"
    )
    assert "password" not in machine.written("buildah.arguments")


def test_the_configuration_file_of_pip_is_handed_on(machine: Machine) -> None:
    machine.with_builder("buildah", WORKS)
    configuration = machine.directory / ".config" / "pip" / "pip.conf"
    configuration.parent.mkdir(parents=True)
    configuration.write_text("[global]\ntimeout = 7\n", encoding="utf-8")

    machine.build()

    assert machine.written("buildah.id=pip.conf") == "[global]\ntimeout = 7\n"


def test_trusted_certificates_are_handed_on(machine: Machine) -> None:
    machine.with_builder("buildah", WORKS)
    bundle = machine.directory / "bundle.pem"
    bundle.write_text("certificates", encoding="utf-8")

    machine.build(environment={"SSL_CERT_FILE": str(bundle)})

    assert machine.written("buildah.id=ca-bundle") == "certificates"


def test_a_proxy_is_handed_on_by_name_only(machine: Machine) -> None:
    machine.with_builder("buildah", WORKS)

    machine.build(environment={"HTTPS_PROXY": "http://user:password@proxy.example.com"})

    assert "--build-arg\nHTTPS_PROXY\n" in machine.written("buildah.arguments")
    assert "password" not in machine.written("buildah.arguments")


def test_base_image_name_and_further_arguments_reach_the_builder(machine: Machine) -> None:
    machine.with_builder("podman", WORKS)

    machine.build("--no-cache", environment={"BASE_IMAGE": "localhost/base:1", "IMAGE": "localhost/operator:2"})

    arguments = machine.written("podman.arguments")
    assert "--build-arg\nBASE_IMAGE=localhost/base:1\n" in arguments
    assert "--tag\nlocalhost/operator:2\n" in arguments
    assert "--no-cache\n" in arguments
