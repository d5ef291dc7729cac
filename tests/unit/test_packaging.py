"""Files shipped with the code: locks, Dockerfile, Makefile; none depends on one machine."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from responder import __version__
from responder.bootstrap.workers import DRAIN_SECONDS
from responder.model.secret import Secret
from responder.rulebook.field_types import seconds
from responder.settings import declared, env_name

ROOT = Path(__file__).parents[2]
# Put together from parts, so that this file does not hold what it looks for.
ELSEWHERE = ("/wo" + "rk/", ".." + "/shared", "/.lib" + "rary/")


def tracked() -> list[Path]:
    """The files that are or would be committed."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    if done.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_names_no_registry_and_hashes_everything(name: str) -> None:
    """Two machines with different package mirrors install the same bytes."""
    text = (ROOT / name).read_text()
    assert not re.search(r"https?://|file:/|--(extra-)?index-url|--find-links|--trusted-host", text)
    pins = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert len(pins) > 20
    for pin in pins:
        assert re.match(r"[\w.-]+==\S+( ; [^\n\\]+)? \\\n    --hash=sha256:[0-9a-f]{64}", pin), pin.splitlines()[0]


def test_the_image_can_use_postgresql() -> None:
    """One image serves one machine and many: the lock that it is made from has the driver, as a wheel of its own."""
    pins = (ROOT / "requirements.txt").read_text()
    assert "\npsycopg==" in pins
    assert "\npsycopg-binary==" in pins


def test_the_image_is_built_from_pinned_parts_only() -> None:
    """The base image is one digest, and the build back end comes from the hashed lock."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert len(bases) == 2
    assert len({*bases}) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", bases[0])
    assert re.search(r"^setuptools==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["build-system"]["requires"] == project["project"]["optional-dependencies"]["build"]
    installs = [
        *re.findall(r"pip install .*", dockerfile),
        *re.findall(r"pip install .*", (ROOT / "Makefile").read_text()),
    ]
    assert [each for each in installs if "--require-hashes" not in each and "--no-build-isolation" not in each] == []


def test_nothing_names_a_path_of_one_machine() -> None:
    """A clone has every file that its texts name."""
    for path in tracked():
        text = path.read_bytes().decode(errors="replace")
        assert not [place for place in ELSEWHERE if place in text], path.relative_to(ROOT)


def test_every_text_installs_the_distribution_by_its_own_name() -> None:
    """No text tells users to install `responder`, which is another project on the package index."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == "alertmanager-responder"
    assert [*project["scripts"]] == ["responder"]
    installs = re.compile(
        r"(?:\b(?:pip3?|pipx|uv|poetry|pdm)[^\n]*? (?:install|add|download|run|tool install)"
        r"|\buvx|pypi\.org/(?:project|simple))(?: -\S+)*[ /]['\"]?responder\b(?![-/.\w])"
    )
    # The check finds what it looks for, in the forms people write.
    wrong = ("pip install 'responder[postgres]'", "pipx install responder", "uv tool install responder")
    assert [text for text in wrong if not installs.search(text)] == []
    assert not installs.search("uvx --from alertmanager-responder responder demo")
    here = Path(__file__)
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in tracked()
        if path != here
        for line in path.read_bytes().decode(errors="replace").splitlines()
        if installs.search(line)
    ]
    assert found == []


def test_the_dockerfile_is_lint_clean() -> None:
    """The image follows the known good practices for images."""
    found = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    assert found, "hadolint comes with requirements-dev.txt"
    done = subprocess.run([found, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_the_image_runs_without_root_and_without_build_tools() -> None:
    """The image runs as an unprivileged user and has no installer."""
    final = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "pip uninstall" in final
    assert "apt-get" not in final
    for word in ("HEALTHCHECK", 'VOLUME ["/data"]', "EXPOSE 8080", 'ENTRYPOINT ["responder"]', 'CMD ["serve"]'):
        assert word in final, word


def test_the_image_says_what_it_is() -> None:
    """The labels of the OCI name version, revision, time, licence and base, and agree with the package and the base."""
    text = (ROOT / "Dockerfile").read_text()
    labels = dict(re.findall(r'org\.opencontainers\.image\.([a-z.]+)="([^"]*)"', text))
    assert {"title", "description", "version", "revision", "created", "licenses", "base.name"} <= set(labels)
    assert f"ARG VERSION={__version__}\n" in text
    base = re.search(r"^FROM (\S+)@", text, re.MULTILINE)
    assert base
    assert labels["base.name"] == f"docker.io/library/{base[1]}"
    assert labels["licenses"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]


def test_the_changelog_has_the_released_version() -> None:
    """A version that is not in development has its date in the changelog, and the chart is of the same version."""
    chart = yaml.safe_load((ROOT / "deploy/helm/responder/Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    if ".dev" not in __version__:
        heading = rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$"
        [_, section] = re.split(heading, (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
        # Written for users, not a list of commits.
        assert section.partition("\n## ")[0].count("\n") < 200


def test_the_builder_gets_what_the_dockerfile_copies() -> None:
    """The image builds from a clean clone: nothing it copies is ignored or missing."""
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        for source in sources.split():
            assert f"!{source}" in ignore, source
            assert (ROOT / source).exists(), source


def test_the_chart_knows_every_setting_and_takes_no_secret_in_clear_text() -> None:
    """Helm refuses a misspelled setting, and a secret among the settings, which would stand in a ConfigMap."""
    path = ROOT / "deploy/helm/responder/values.schema.json"
    schema = json.loads(path.read_text())
    secrets = sorted(each.name for each in declared() if each.kind is Secret)
    others = sorted({each.name for each in declared()} - {*secrets, "config"})
    schema["properties"]["settings"]["propertyNames"] = {"enum": [*others, *(f"{name}_file" for name in secrets)]}
    schema["properties"]["secret"]["properties"]["keys"]["items"] = {"enum": [n.replace("_", "-") for n in secrets]}
    expected = json.dumps(schema, indent=2) + "\n"
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(expected)
    assert path.read_text() == expected, "stale: run make generate"


def _manifest_settings() -> dict[str, object]:
    """Settings in the ConfigMap of the manifests, by name."""
    parts = yaml.safe_load_all((ROOT / "deploy/kubernetes/responder.yaml").read_text())
    (settings,) = (part["data"]["settings.yaml"] for part in parts if part["kind"] == "ConfigMap")
    return dict(yaml.safe_load(settings))


def test_the_manifest_for_kubernetes_fits_what_we_are() -> None:
    """The manifests start: their settings exist, addresses respond, and the user is the image's."""
    parts = {part["kind"]: part for part in yaml.safe_load_all((ROOT / "deploy/kubernetes/responder.yaml").read_text())}
    pod = parts["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    known = {env_name(each.name) for each in declared()} | {"RESPONDER_CONFIG"}
    given = {each["name"] for each in container["env"]} | {env_name(name) for name in _manifest_settings()}
    assert {name.removesuffix("_FILE") for name in given} <= known
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["image"].endswith(f":{__version__}")
    assert pod["terminationGracePeriodSeconds"] > DRAIN_SECONDS
    dockerfile = (ROOT / "Dockerfile").read_text()
    user = f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert f"USER {user}" in dockerfile
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    for name in ("rules", "runbooks", "data", "shm"):
        assert mounts[name] in dockerfile
    assert f"{mounts['settings']}/settings.yaml" in {each["value"] for each in container["env"]}
    scratch = [each["emptyDir"] for each in pod["volumes"] if "emptyDir" in each]
    assert [each for each in scratch if "sizeLimit" not in each] == []
    assert parts["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_the_manifest_waits_as_long_as_the_shipped_alertmanager() -> None:
    """RESPONDER_GROUP_INTERVAL of the manifest is the longest group_interval of deploy/alertmanager.yml."""
    root = yaml.safe_load((ROOT / "deploy/alertmanager.yml").read_text())["route"]
    intervals = [seconds(each["group_interval"]) for each in (root, *root["routes"]) if "group_interval" in each]
    assert _manifest_settings()["group_interval"] == max(intervals)


def test_the_manifest_is_applied_where_the_services_are() -> None:
    """The rules ask services by short names, which no other namespace knows: each page would say that all are gone."""
    manifest = (ROOT / "deploy/kubernetes/responder.yaml").read_text()
    platform = yaml.safe_load((ROOT / "rules" / "00-platform.yaml").read_text())["platform"]
    assert set(re.findall(r"kubectl -n (\S+)", manifest)) == {platform["namespace"]}


def test_make_help_lists_every_target() -> None:
    """Typing ``make`` shows everything one can do."""
    makefile = (ROOT / "Makefile").read_text()
    public = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    declared = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert declared
    assert sorted(public) == sorted(declared[1].split())
    make = shutil.which("make")
    if not make:
        pytest.skip("make is not installed")
    done = subprocess.run([make, "-C", str(ROOT), "-s"], capture_output=True, text=True, check=True, timeout=30)
    listed = re.findall(r"^  make ([a-z-]+)", done.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(public)


def test_ci_runs_the_developers_command() -> None:
    """CI runs the command that a developer runs, without a second list of steps."""
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().rstrip().endswith("exec make test")


def test_every_stand_in_that_ships_is_used_by_the_demo() -> None:
    """Stand-ins that only tests use live in tests/support and are not installed."""
    needed: set[str] = set()
    waiting = sorted((ROOT / "responder/cli/demo").glob("*.py"))
    while waiting:
        tree = ast.parse(waiting.pop().read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("responder.standins"):
                names = {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
                found = {name.split(".")[2] for name in names if name.count(".") > 1} - needed
                found = {name for name in found if (ROOT / f"responder/standins/{name}.py").is_file()}
                needed |= found
                waiting += [ROOT / f"responder/standins/{name}.py" for name in found]
    assert {path.stem for path in (ROOT / "responder/standins").glob("*.py")} - {"__init__"} == needed
