"""The server's own secrets: the key that signs tokens, and the pepper that hashes of keys depend on.

They come from the settings; what is not set there is made once and kept in a file beside the users, mode 0600.
Several processes that start at once end up with the same ones. Servers on several machines need them in the settings.
"""

import os
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nt_ray.access.store import private_folder
from nt_ray.config import Access
from nt_ray.errors import ConfigError, StorageError

SHORTEST_PEPPER: Final = 32


@dataclass(frozen=True, slots=True)
class ServerSecrets:
    """Secrets of the server; they show in no text."""

    token: str = field(repr=False)
    pepper: bytes = field(repr=False)


def server_secrets(settings: Access) -> ServerSecrets:
    """Take the secrets from the settings, or from files of the folder, which are made where they do not exist."""
    if settings.token_secret is None:
        algorithm = settings.token_algorithm
        made = _new_ed25519() if algorithm == "EdDSA" else secrets.token_hex(64)
        text = _kept(settings.folder / f"token-{algorithm.lower()}.secret", made)
    else:
        text = settings.token_secret.get_secret_value()
    if settings.pepper is None:
        pepper = _kept(settings.folder / "pepper.secret", secrets.token_hex(64)).encode()
    else:
        pepper = settings.pepper.get_secret_value().encode()
    if len(pepper) < SHORTEST_PEPPER:
        raise ConfigError(f"access.pepper has {len(pepper)} bytes. Give {SHORTEST_PEPPER} or more, drawn at random.")
    return ServerSecrets(text, pepper)


def _new_ed25519() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _kept(path: Path, made: str) -> str:
    """Text of a file; where there is none, a new one with the text `made`, unless another process is first."""
    private_folder(path.parent)
    try:
        if not path.exists():
            write_once(path, made)
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"The secret in {path} cannot be read: {error}. Restore it, or set it.") from error


def write_once(path: Path, text: str) -> None:
    """Write a file that its owner alone may read; one that is there already stays as it is."""
    # Written beside its place, then linked into it: whoever comes second links in vain and reads the first one's.
    draft = path.with_name(f".{uuid.uuid4().hex}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
