"""The image is really built, and pages. `make image-test` runs this as root, with buildah and mmdebstrap of Debian."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from responder import __version__
from responder.standins.processes import started
from responder.standins.stage import Stage, stage
from tests.real.conftest import ROOT, example, until

pytestmark = pytest.mark.timeout(1800)
IMAGE = "responder:tested"
BUILDAH = ["buildah", "--storage-driver", "vfs"]


def run(*command: str | Path, seconds: float = 900) -> str:
    """The output of a program that must succeed."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def _base(folder: Path, name: str) -> None:
    """Make a stand-in for the base image, which no registry gives here: Debian with the same Python series."""
    archive = folder / "base.tar"
    include = "--include=python3,python3-venv,python3-pip,ca-certificates"
    run("mmdebstrap", "--variant=minbase", include, "bookworm", archive)
    (folder / "Base").write_text(
        "FROM scratch\nADD base.tar /\n"
        "RUN ln -sf python3 /usr/bin/python && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED\n"
    )
    run(*BUILDAH, "bud", "--isolation", "chroot", "-t", f"docker.io/library/{name}", "-f", folder / "Base", folder)


@pytest.fixture(name="image", scope="module")
def _image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of this checkout, built from its Dockerfile without the digest of the base."""
    absent = [name for name in ("buildah", "mmdebstrap") if shutil.which(name) is None]
    if absent or os.geteuid() != 0:
        pytest.skip(f"needs root and: apt install --no-install-recommends {' '.join(absent or ['nothing more'])}")
    folder = tmp_path_factory.mktemp("image")
    text = (ROOT / "Dockerfile").read_text()
    (base,) = set(re.findall(r"^FROM (\S+)@", text, re.MULTILINE))
    _base(folder, base)
    (folder / "Dockerfile").write_text(re.sub(r"@sha256:[0-9a-f]{64}", "", text))
    wheels = folder / "wheels"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary=:all:"]
    run(*pip, "-d", wheels, "-r", ROOT / "requirements.txt")
    (folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    volumes = [f"--volume={wheels}:/wheels:ro", f"--volume={folder}/pip.conf:/etc/pip.conf:ro"]
    build = ["bud", "--isolation", "chroot", "--pull-never", "--network", "host", "--format", "docker", *volumes]
    arguments = ["--build-arg", "REVISION=tested", "-t", IMAGE, "-f", str(folder / "Dockerfile"), str(ROOT)]
    run(*BUILDAH, *build, *arguments)
    yield IMAGE
    run(*BUILDAH, "rm", "--all")
    run(*BUILDAH, "rmi", "--all", "--force")


@pytest.fixture(name="container", scope="module")
def _container(image: str) -> str:
    """A container of the image."""
    return run(*BUILDAH, "from", "--pull-never", image).strip()


def inside(container: str, *command: str, **environment: str) -> list[str]:
    """The command line that runs a command in the container."""
    given = [f"--env={name}={value}" for name, value in environment.items()]
    return [*BUILDAH, "run", "--isolation", "chroot", "--network", "host", *given, container, "--", *command]


def test_the_image_says_what_it_is(image: str) -> None:
    """Version, revision and licence are labels; the user is not root; the health check survives."""
    config = json.loads(run(*BUILDAH, "inspect", "--type", "image", image))["Docker"]["config"]
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    assert config["Labels"]["org.opencontainers.image.revision"] == "tested"
    assert config["User"] == "10001:10001"
    assert "healthz" in " ".join(config["Healthcheck"]["Test"])


def test_the_image_has_no_installer_and_nobodys_rules(container: str) -> None:
    """The program answers as an unprivileged user that can write to /data only; presets are there, rules are not."""
    assert __version__ in run(*inside(container, "responder", "--version"))
    code = "import os; print(os.geteuid(), os.access('/opt/responder', os.W_OK), os.access('/data', os.W_OK))"
    assert run(*inside(container, "python", "-c", code)).split() == ["10001", "False", "True"]
    found = "import importlib.util as u, pathlib; print(u.find_spec('pip'), pathlib.Path('/etc/responder').exists())"
    assert run(*inside(container, "python", "-c", found)).split() == ["None", "False"]
    assert "rules" in run(*inside(container, "responder", "init", "/data/first", "--preset", "kafka"))


def test_a_container_receives_an_alert_and_pages(container: str, tmp_path: Path) -> None:
    """With rules and a token the container receives a webhook and pages, as its Dockerfile starts it."""
    mounted = tmp_path / "responder"
    shutil.copytree(ROOT / "rules", mounted / "rules")
    shutil.copytree(ROOT / "runbooks", mounted / "runbooks")
    with stage(tmp_path, rules=ROOT / "rules", runbooks=ROOT / "runbooks") as around:
        env = _environment(around)
        command = inside(container, "responder", "serve", **env)
        command[len(BUILDAH) + 1 : len(BUILDAH) + 1] = [f"--volume={mounted}:/etc/responder:ro"]
        with started("container", command, url=around.url, ready="/readyz", folder=tmp_path, seconds=180):
            assert around.post(example("service-down")).status == 202
            until(around.pagerduty.open)
    assert "plato is down" in around.pagerduty.events[0].summary


def _environment(around: Stage) -> dict[str, str]:
    """The settings of the stage, except those that the image sets."""
    own = {"RESPONDER_DATABASE_URL", "RESPONDER_RULES", "RESPONDER_RUNBOOKS"}
    return {name: value for name, value in around.settings.items() if name not in own}
