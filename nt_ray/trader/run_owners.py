"""Whose a run is: what a job makes belongs to who submitted the job, and its folder says so before it is finished.

The work of a job names its owner once, and whoever makes a folder meanwhile claims it for him. The same sweep, search
or training has one folder whoever asks for it, and belongs to all of them. A folder without owners was made by no job,
and one that was finished that way stays so. Who may see what is not known here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from nt_ray.errors import StorageError
from nt_ray.trader.files import OWNERS, SUMMARY

_working_for: Final[ContextVar[str]] = ContextVar("working_for", default="")


@contextmanager
def working_for(owner: str) -> Iterator[None]:
    """Claim each folder that this thread makes in a block; for nobody where `owner` is empty."""
    before = _working_for.set(owner)
    try:
        yield
    finally:
        _working_for.reset(before)


def claim(folder: Path) -> None:
    """Write down whose a folder is, which is made where it is not there; nothing where nobody is worked for."""
    owner = _working_for.get()
    if not owner:
        return
    known = owners(folder)
    if owner in known or (not known and (folder / SUMMARY).is_file()):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # One line at once, at the end: two who claim it together lose neither.
        with (folder / OWNERS).open("a", encoding="utf-8") as file:
            file.write(f"{owner}\n")
    except OSError as error:
        raise StorageError(f"{str(folder)!r} cannot be written ({error.strerror}). Give another --runs.") from error


def owners(folder: Path) -> frozenset[str]:
    """Users whose jobs made a folder; none where no job did."""
    try:
        return frozenset((folder / OWNERS).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise StorageError(f"{str(folder)!r} does not say whose it is ({error.strerror}). Mend its rights.") from error
