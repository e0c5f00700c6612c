"""Checks of the machine: memory, shared memory, disk and clock."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from nt_ray.config import Settings
from nt_ray.doctor.check import Check, ok, warn

MB = 2**20

PROCESS_MB = 120
"""What one worker process takes at most (60 to 120 MB)."""

CORE_MB = 700
"""What the driver and Ray's own processes take together."""

DISK_MB = 1000
"""Free disk below which a run, Ray's logs or its spilling may not fit."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  Ray's object store lies there
MEMORY_INFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def check_machine(settings: Settings) -> list[Check]:
    """Check memory, shared memory, disk and clock against what these settings need."""
    return [check_memory(settings), check_shared_memory(settings), check_disk(settings), check_clock()]


def needed_mb(settings: Settings) -> int:
    """Memory a local run takes: object store, a process for each host, account and supervisor, Ray."""
    processes = settings.swarm.hosts + len(settings.brokers.enabled) + 1
    return settings.ray.object_store_mb + PROCESS_MB * processes + CORE_MB


def check_memory(settings: Settings) -> Check:
    """Compare free memory with what a local run takes."""
    free, needed = available_mb(), needed_mb(settings)
    if free is None:
        return ok("memory", "this system does not tell how much is free.")
    found = f"{free} MB free, {needed} MB needed for a local run."
    if free >= needed:
        return ok("memory", found)
    return warn("memory", found, "Lower swarm.hosts or ray.object_store_mb, or free memory.")


def check_shared_memory(settings: Settings) -> Check:
    """Compare free shared memory with the object store of a local Ray."""
    if not SHARED_MEMORY.is_dir():
        return ok("shared memory", f"no {SHARED_MEMORY} on this system; Ray uses a file.")
    free, wanted = shutil.disk_usage(SHARED_MEMORY).free // MB, settings.ray.object_store_mb
    found = f"{free} MB free in {SHARED_MEMORY}, {wanted} MB wanted."
    if free >= wanted:
        return ok("shared memory", found)
    return warn(
        "shared memory",
        found,
        "Ray would use slow disk: lower ray.object_store_mb, or give a container more (docker --shm-size).",
    )


def check_disk(settings: Settings) -> Check:
    """Look at the free disk where runs are written."""
    place = existing_parent(settings.runs)
    free = shutil.disk_usage(place).free // MB
    if free >= DISK_MB:
        return ok("disk", f"{free} MB free at {place}.")
    return warn("disk", f"{free} MB free at {place}.", f"Free some: {DISK_MB} MB or more should be there.")


def check_clock() -> Check:
    """Check that the clock has passed the time at which this program's files were written."""
    now = datetime.now(UTC)
    written = datetime.fromtimestamp(Path(__file__).stat().st_mtime, tz=UTC)
    if now >= written:
        return ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC.")
    return warn(
        "clock",
        f"it reads {now:%Y-%m-%d %H:%M} UTC, but this program was written {written:%Y-%m-%d %H:%M}.",
        "Set the clock, best by NTP: tokens and order times depend on it.",
    )


def available_mb() -> int | None:
    """Memory that can still be taken, the container's limit included; None where the system does not tell."""
    try:
        lines = dict(line.split(":", 1) for line in MEMORY_INFO.read_text(encoding="ascii").splitlines())
    except OSError:
        return None
    free = int(lines["MemAvailable"].split()[0]) * 1024
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
    except OSError:
        limit, used = "max", 0
    if limit != "max":
        free = min(free, int(limit) - used)
    return free // MB


def existing_parent(path: Path) -> Path:
    """Return the nearest folder on the way up that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
