"""The manifest of a version: its files and where it comes from. Written last and once, it makes the version."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from nt_ray.neural.registry.registry_problems import CorruptModelError
from nt_ray.storage.objects import KEY, LONGEST_KEY

FORMAT: Final = "nt-ray-version/1"


class Record(BaseModel):
    """A frozen record that the registry writes as JSON, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def encoded(self) -> bytes:
        """Record as JSON text."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False).encode()


R = TypeVar("R", bound=Record)

# A path that leads out of the model's folder is none of these.
FilePath: TypeAlias = Annotated[str, StringConstraints(pattern=f"^{KEY.pattern}$", max_length=LONGEST_KEY)]


class FileSum(Record):
    """Size in bytes and SHA-256 of one file."""

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(Record):
    """One version of a model; never changed."""

    format: Literal["nt-ray-version/1"] = FORMAT
    name: str
    version: int = Field(ge=1)
    created: AwareDatetime
    by: str
    upload: str
    files: dict[FilePath, FileSum] = Field(min_length=1)
    tags: dict[str, str]
    signature: dict[str, Any]
    lineage: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 that names the content of all files together."""
        sums = {path: found.sha256 for path, found in self.files.items()}
        return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(found.size for found in self.files.values())

    @property
    def trained_until(self) -> datetime | None:
        """Last instant of the data it was trained on, validation included; None where its lineage does not say.

        It stands as `trained_until` in the lineage or in its `config`, in ISO 8601 with a zone.
        """
        config = self.lineage.get("config")
        text = self.lineage.get("trained_until") or (config.get("trained_until") if isinstance(config, dict) else None)
        try:
            found = datetime.fromisoformat(text) if isinstance(text, str) else None
        except ValueError:
            return None
        return found if found is not None and found.tzinfo is not None else None


def read_record(kind: type[R], data: bytes, place: str) -> R:
    """Read a record of the registry; raises `CorruptModelError` where it is not one."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise CorruptModelError(
            f"The record {place} of the registry cannot be read: {'.'.join(map(str, first['loc']))} {first['msg']}. "
            "Restore it from a copy, or update the program if a newer one wrote it."
        ) from error
