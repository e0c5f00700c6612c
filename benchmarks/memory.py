"""Memory of a process and all its descendants, as the kernel counts it: proportional set size.

Shared pages are divided among the processes that map them, so the sum over a tree counts each page once.
"""

import threading
from pathlib import Path


def family_of(root: int) -> set[int]:
    """Process ids of a process and all its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue  # the process ended while we looked
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return family


def tree_pss(root: int) -> int:
    """Bytes of proportional set size of a process and all its descendants."""
    return sum(pss(pid) for pid in family_of(root))


def pss(pid: int) -> int:
    """Bytes of proportional set size of one process; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class Peak:
    """Samples a process tree in a thread of its own while the body runs, and keeps the highest sum.

    What lives shorter than one interval may be missed; Ray's processes that leave the tree are not counted.
    """

    def __init__(self, root: int, every_s: float = 0.5) -> None:
        self.bytes = 0
        self._root = root
        self._every = every_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(self._every):
            self.bytes = max(self.bytes, tree_pss(self._root))
