"""What keys exist and what each accepts: the settings tree, walked.

Error messages, the check of `NT_` names and the reference page all ask here, so they cannot disagree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nt_ray.config.settings import Settings
from nt_ray.config.values import Accepts
from nt_ray.config.venues import BUILT_IN, Brokers, Venue

KeyPath: TypeAlias = tuple[str, ...]

_NAMED = "NAME"
"""Stands for a venue's own name where keys are listed."""

_WORDS = {
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    bool: "true or false",
    str: "a text",
    date: "a date such as 2020-12-31",
    Path: "a path",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: its path in the tree, what it accepts in words, its default and what it means."""

    path: KeyPath
    accepts: str
    default: Any
    description: str

    @property
    def dotted(self) -> str:
        """Path as it is written after `--set`."""
        return ".".join(self.path)


def known_keys() -> list[Key]:
    """Every setting in the order of the tree; a venue's keys stand once, under `brokers.NAME`."""
    return list(_walk(Settings, ()))


def find_key(path: Sequence[str]) -> Key | None:
    """Key at a path, or None where no setting stands there."""
    model: type[BaseModel] = Settings
    for depth, name in enumerate(path):
        field = model.model_fields.get(name)
        last = depth == len(path) - 1
        if field is None:
            if model is not Brokers or last:
                return None
            model = Venue
        elif (nested := section_of(field)) is not None:
            model = nested
        elif last or _origin(field.annotation) is dict:
            return _key(tuple(path), field)
        else:
            return None
    return None


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Model of a field that is a table of its own, else None."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def nearest(path: Sequence[str]) -> str | None:
    """Dotted known key that a mistyped one most likely means, or None where none is near."""
    venue = path[1] if len(path) == 3 and path[0] == "brokers" else next(iter(BUILT_IN))
    keys = [k.dotted.replace(_NAMED, venue) for k in known_keys()]
    sections = [name for name, field in Settings.model_fields.items() if section_of(field)]
    parent = ".".join(path[:-1])
    siblings = [k for k in keys if k.rpartition(".")[0] == parent] + ([] if parent else sections)
    for candidates in (siblings, keys):
        if found := get_close_matches(".".join(path), candidates, n=1, cutoff=0.75):
            return found[0]
    return next((k for k in keys if k.rpartition(".")[2] == path[-1]), None)


def _walk(model: type[BaseModel], path: KeyPath) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        nested = section_of(field)
        if nested is None:
            yield _key((*path, name), field)
        else:
            yield from _walk(nested, (*path, name))
    if model is Brokers:
        yield from _walk(Venue, (*path, _NAMED))


def _key(path: KeyPath, field: FieldInfo) -> Key:
    return Key(path, _accepts(field), field.get_default(call_default_factory=True), field.description or "")


def _accepts(field: FieldInfo) -> str:
    kind, metadata = _bare(field.annotation)
    metadata = [*field.metadata, *metadata]
    own = [item.words for item in metadata if isinstance(item, Accepts)]
    return own[-1] if own else _kind_words(kind) + _range_words(metadata)


def _bare(annotation: Any) -> tuple[Any, list[Any]]:
    """Annotation without None and `Annotated`, and the metadata taken off."""
    metadata: list[Any] = []
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *found = get_args(annotation)
            metadata += [m for f in found for m in (f.metadata if isinstance(f, FieldInfo) else [f])]
        elif NoneType in get_args(annotation):
            annotation = next(a for a in get_args(annotation) if a is not NoneType)
        else:
            return annotation, metadata


def _origin(annotation: Any) -> Any:
    return get_origin(_bare(annotation)[0])


def _kind_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        words = [str(a) for a in get_args(kind)]
        return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
    return _WORDS[kind]


def _range_words(metadata: Sequence[Any]) -> str:
    low = high = places = ""
    for bound in metadata:
        if isinstance(bound, Ge):
            low = f"from {bound.ge}"
        elif isinstance(bound, Gt):
            low = f"above {bound.gt}"
        elif isinstance(bound, Le):
            high = f"{bound.le}"
        elif isinstance(bound, Lt):
            high = f"below {bound.lt}"
        elif (decimals := getattr(bound, "decimal_places", None)) is not None:
            places = f", with at most {decimals} decimals"
    if low.startswith("from") and high and not high.startswith("below"):
        return f" {low} to {high}{places}"
    if high and not high.startswith("below"):
        high = f"at most {high}"
    words = " and ".join(w for w in (low, high) if w)
    return f" {words}{places}" if words else places
