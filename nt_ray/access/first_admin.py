"""The first admin of an empty folder: his key is given once, or left in a private file where nobody watches the start.

Safe to call again and from several processes: there is one first admin, and whoever made him has his key.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from nt_ray.access.audit import open_audit
from nt_ray.access.gatekeeper import FIRST_ADMIN, open_gatekeeper, utc_now
from nt_ray.access.server_secrets import write_once
from nt_ray.config import Access
from nt_ray.errors import StorageError

FILE: Final = "first-admin.key"


def first_key(settings: Access, who: str, keep: Callable[[str], None] = lambda _: None) -> str | None:
    """Make the first admin where there is no user, write down who did it, and give the key, first to `keep`; else None.

    Where any of that fails nobody is made, so the next call tries again.
    """

    def kept(key: str) -> None:
        keep(key)
        open_audit(settings, utc_now).append("users.add", who, target=FIRST_ADMIN, details={"role": "admin"})

    gate = open_gatekeeper(settings)
    try:
        return gate.first_start(kept)
    finally:
        gate.close()


def leave_first_key(settings: Access, who: str) -> Path | None:
    """Make the first admin where there is no user, and leave his key in a file of mode 0600; its path, or None."""
    path = settings.folder / FILE

    def leave(key: str) -> None:
        try:
            # One of an earlier folder of users opens nothing any more.
            path.unlink(missing_ok=True)
            write_once(path, key + "\n")
        except OSError as error:
            raise StorageError(
                f"The first admin's key cannot be left in {path}: {error.strerror}. Free the place or the disk."
            ) from error

    return None if first_key(settings, who, leave) is None else path
