"""Checks of what is installed: Python, packages, torch and the GPU. Nothing heavy is imported here."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from nt_ray.doctor.check import Check, fail, ok, warn
from nt_ray.errors import ServiceError
from nt_ray.project import Project, project

PROBE_TIMEOUT_S = 60.0
"""Importing torch on a cold disk takes long; this is longer."""

_CUDA_PROBE = "import torch; print(torch.version.cuda or 'none', torch.cuda.is_available())"
_REINSTALL = "Run `pip install --constraint constraints.txt --editable .` or `make run`."


def check_software() -> list[Check]:
    """Check Python, every declared requirement, torch and the GPU."""
    try:
        this = project()
    except ServiceError as error:
        return [fail("project", str(error), "")]
    return [check_python(this), check_packages(this), check_torch(), check_gpu()]


def check_python(this: Project) -> Check:
    """Check the running Python against the declared range."""
    running = platform.python_version()
    if SpecifierSet(this.requires_python).contains(running, prereleases=True):
        return ok("python", f"{running}.")
    return fail("python", f"{running} is not in {this.requires_python}.", "Use Python 3.11: make PYTHON=python3.11")


def check_packages(this: Project) -> Check:
    """Check that each requirement is installed in a version that fits, the extras' own requirements too."""
    problems = [p for line in this.requirements for p in _unmet(Requirement(line))]
    if problems:
        return fail("packages", f"{'; '.join(problems)}.", _REINSTALL)
    return ok("packages", f"all {len(this.requirements)} requirements are met.")


def check_torch() -> Check:
    """Tell which torch is installed."""
    try:
        return ok("torch", f"{version('torch')}.")
    except PackageNotFoundError:
        return fail("torch", "not installed.", _REINSTALL)


def check_gpu() -> Check:
    """Look for an NVIDIA GPU, and whether torch can use it; none is fine."""
    if shutil.which("nvidia-smi") is None:
        return ok("gpu", "none; everything runs on the CPU.")
    names = _answer(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    if not names:
        return warn("gpu", "nvidia-smi is there but finds no GPU.", "Check the driver with `nvidia-smi`.")
    cuda = _answer([sys.executable, "-c", _CUDA_PROBE])
    found = ", ".join(names.splitlines())
    if cuda.endswith("True"):
        return ok("gpu", f"{found}, CUDA {cuda.split()[0]}.")
    return warn(
        "gpu",
        f"{found}, but torch cannot use it (CUDA of this torch: {cuda.split()[0] if cuda else 'unknown'}).",
        "Install the torch of PyPI, not a CPU build, and a driver that fits it.",
    )


def _unmet(requirement: Requirement) -> Iterator[str]:
    """Sentences for a requirement that is missing or does not fit, and for those its extras bring."""
    if requirement.marker is not None and not requirement.marker.evaluate():
        return
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        yield f"{requirement.name} is missing"
        return
    if not requirement.specifier.contains(installed, prereleases=True):
        yield f"{requirement.name} {installed} is not {requirement.specifier}"
    for extra in sorted(requirement.extras):
        for line in requires(requirement.name) or ():
            needed = Requirement(line)
            # Markers of extras are true only for their own extra, so each requirement is looked at once.
            marker = needed.marker
            if marker is not None and "extra" in str(marker) and marker.evaluate({"extra": extra}):
                yield from _unmet(Requirement(f"{needed.name}{needed.specifier}"))


def _answer(command: list[str]) -> str:
    """Output of a command; empty where it fails or does not end in time."""
    try:
        done = subprocess.run(  # noqa: S603  fixed commands, no shell
            command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
