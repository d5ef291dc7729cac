"""Render the Helm chart, and from it the plain manifests of ``deploy/kubernetes/``.

``python -m scripts.helm`` writes them anew. Installing helm: ``scripts/install_helm.py``.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "deploy" / "helm" / "responder"
KUBERNETES = ROOT / "deploy" / "kubernetes"
#: The namespace of the plain manifests: the example's services are in it.
NAMESPACE = "butterfly"

_DEPLOYMENT = """\
# Rendered from the chart deploy/helm/responder with the values of deploy/helm/manifests.yaml by `make generate`.
#
# Two replicas of responder in the namespace of your services, sharing a PostgreSQL: either may stop. Probes
# and runbooks use names such as http://plato:8080, which resolve in the services' own namespace only.
#
#   kubectl -n butterfly create secret generic responder \\
#     --from-literal=database-url='postgresql://responder:...@postgres:5432/responder' \\
#     --from-file=secrets/webhook-token --from-file=secrets/pagerduty-routing-key --from-file=secrets/slack-bot-token
#   kubectl -n butterfly create configmap responder-rules --from-file=rules/
#   kubectl -n butterfly create configmap responder-runbooks --from-file=runbooks/
#   kubectl -n butterfly apply -f deploy/kubernetes/responder.yaml
#   kubectl apply -f deploy/kubernetes/rbac.yaml   # optional: read the cluster for diagnosis
#
# Set your image and addresses. Prometheus and Alertmanager are expected in the namespace monitoring, from where
# Alertmanager notifies http://responder.butterfly:8080/webhook/alertmanager. A changed ConfigMap of rules or
# runbooks is reloaded without a restart, see docs/guides/rules.md.
"""
_RIGHTS = """\
# Rendered from the chart deploy/helm/responder by `make generate`.
#
# Rights to read the cluster for diagnosis: get and list only. Without the second role pages say that logs could not be
# read. Nothing here reads Secrets, executes, or writes. `responder doctor` says which rights are missing or too many.
"""


def program(name: str) -> str | None:
    """Path of helm or kubectl: beside this Python, or on the PATH. ``None`` if there is none."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm with folders of its own, and return its status and output. Raises ``FileNotFoundError`` without helm."""
    found = program("helm")
    if found is None:
        raise FileNotFoundError("helm is not installed: run make setup-dev, or python scripts/install_helm.py")
    with tempfile.TemporaryDirectory() as folder:
        env = {"PATH": os.environ.get("PATH", ""), "HOME": folder}
        env |= {f"HELM_{each}_HOME": folder for each in ("CACHE", "CONFIG", "DATA")}
        command = [found, *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


def render(*arguments: str) -> str:
    """Return what the chart becomes with the given options of ``helm template``.

    Raises ``ValueError`` with the message of helm if it refuses the values.
    """
    done = helm("template", "responder", str(CHART), "--namespace", NAMESPACE, *arguments)
    if done.returncode:
        raise ValueError(done.stderr)
    return done.stdout


def _manifests(documents: Iterable[str], head: str) -> str:
    return head + "---\n".join(documents)


def plain_manifests() -> dict[Path, str]:
    """Return the plain manifests by path."""
    text = render("--values", str(ROOT / "deploy/helm/manifests.yaml"))
    parts = [re.sub(r"^\n*# Source: .*\n", "", part).strip("\n") + "\n" for part in text.split("---\n") if part.strip()]
    rights = [part for part in parts if "\nkind: ClusterRole" in part]
    return {
        KUBERNETES / "responder.yaml": _manifests((part for part in parts if part not in rights), _DEPLOYMENT),
        KUBERNETES / "rbac.yaml": _manifests(rights, _RIGHTS),
    }


if __name__ == "__main__":
    for path, manifest in plain_manifests().items():
        path.write_text(manifest, encoding="utf-8")
