"""Compile what the main job needs, once for a machine: later processes load it from disk.

`make` runs this at the end of the set-up; nothing depends on it but the time of the first run.
"""

from importlib import import_module


def main() -> None:
    """Import the modules whose compiled functions the default run calls."""
    from nt_ray.config import load_settings
    from nt_ray.strategies.registry import find

    for name in load_settings(None, {}, environ={}).strategies.enabled:
        find(name)
    for module in ("nt_ray.swarm.host", "nt_ray.trader.facade", "actors.swarm_transport"):
        import_module(module)


if __name__ == "__main__":
    main()
