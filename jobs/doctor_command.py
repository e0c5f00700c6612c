"""`nt-ray doctor`: is this machine ready to run, and if not, what to do."""

import json

import typer

from jobs.options import AsJson, ConfigFile, help_text

NOT_READY = 2

DOCTOR_HELP = help_text(
    "Tell whether this machine is ready for a run, and what to do if not; exit code 2 if not.",
    "nt-ray doctor",
    "nt-ray doctor --config experiments/mesh.toml --json",
)


def doctor(config: ConfigFile = None, as_json: AsJson = False) -> int:
    """Print a line for each check; return 2 where a run would fail."""
    from nt_ray.doctor import examine, is_ready

    checks = examine(config)
    if as_json:
        ready = {"ready": is_ready(checks), "checks": [check.as_json() for check in checks]}
        typer.echo(json.dumps(ready, indent=2))
    else:
        for check in checks:
            typer.echo(check.line())
        typer.echo("Ready." if is_ready(checks) else "Not ready: mend the lines marked fail.")
    return 0 if is_ready(checks) else NOT_READY
