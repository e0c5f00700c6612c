"""Compile kernels once for a machine: later processes load them from disk.

`make` runs this at the end of the set-up for what the main job needs, and before the tests, with `--all`, for every
kernel, so that the processes of a test do not all compile the same. Nothing depends on it but time.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import nt_ray


def main(arguments: Sequence[str] = ()) -> None:
    """Import the modules whose compiled functions the default run calls, or with `--all` each that compiles any."""
    if "--all" in arguments:
        names = compiling()
    else:
        from nt_ray.config import load_settings
        from nt_ray.strategies.registry import find

        for name in load_settings(None, {}, environ={}).strategies.enabled:
            find(name)
        names = ["nt_ray.swarm.host", "nt_ray.trader.facade", "actors.swarm_transport"]
    for module in names:
        import_module(module)


def compiling() -> list[str]:
    """Modules of `nt_ray` that compile functions as they are imported."""
    root = Path(next(iter(nt_ray.__path__)))
    sources = (path for path in sorted(root.rglob("*.py")) if "njit" in path.read_text(encoding="utf-8"))
    return [".".join(path.relative_to(root.parent).with_suffix("").parts) for path in sources]


if __name__ == "__main__":
    main(sys.argv[1:])
