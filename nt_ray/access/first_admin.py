"""The first admin of an empty folder: his key is given once, or left in a private file where nobody watches the start.

Safe to call again and from several processes: there is one first admin, and whoever made him has his key.
"""

from pathlib import Path
from typing import Final

from nt_ray.access.audit import open_audit
from nt_ray.access.gatekeeper import FIRST_ADMIN, open_gatekeeper, utc_now
from nt_ray.access.server_secrets import write_once
from nt_ray.config import Access

FILE: Final = "first-admin.key"


def first_key(settings: Access, who: str) -> str | None:
    """Make the first admin where there is no user, write down who did it, and give the key; else None."""
    gate = open_gatekeeper(settings)
    try:
        key = gate.first_start()
    finally:
        gate.close()
    if key is not None:
        open_audit(settings, utc_now).append("users.add", who, target=FIRST_ADMIN, details={"role": "admin"})
    return key


def leave_first_key(settings: Access, who: str) -> Path | None:
    """Make the first admin where there is no user, and leave his key in a file of mode 0600; its path, or None."""
    key = first_key(settings, who)
    if key is None:
        return None
    path = settings.folder / FILE
    # One of an earlier folder of users opens nothing any more.
    path.unlink(missing_ok=True)
    write_once(path, key + "\n")
    return path
