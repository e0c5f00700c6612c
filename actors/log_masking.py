"""What may stand in a log: values of secret names and texts that look like credentials are masked, nothing is cut."""

import re
from collections.abc import Mapping
from typing import Any, Final

from nt_ray.access.masking import MASK, masked_text, speaks_of_a_secret

DEPTH: Final = 6
"""Nested deeper than this, a value is masked whole."""
_PIECE: Final = 900
"""Texts are looked at in lines of at most this length, since longer ones would be cut."""
_ANNOUNCING: Final = ("bearer", "basic")
_PAIR: Final = re.compile(
    r"(\b(?:api[-_]?key|secret|passw\w*|token|pepper)\b[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]+", re.IGNORECASE
)


def masked(value: Any, depth: int = 0) -> Any:
    """Value without its secrets, of the same shape."""
    if isinstance(value, Mapping):
        if depth >= DEPTH:
            return MASK
        return {
            str(key): MASK if speaks_of_a_secret(str(key)) else masked(inner, depth + 1) for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return MASK if depth >= DEPTH else [masked(inner, depth + 1) for inner in value]
    return value if value is None or isinstance(value, bool | int | float) else mask_text(str(value))


def mask_text(text: str) -> str:
    """Text without credentials that can be told by their looks."""
    return "\n".join(_line(line) for line in _PAIR.sub(rf"\1{MASK}", text).split("\n"))


def _line(line: str) -> str:
    pieces: list[str] = []
    start = 0
    while len(line) - start > _PIECE:
        end = _cut(line, start, start + _PIECE)
        if end <= start:
            return "".join((*pieces, MASK))
        pieces.append(masked_text(line[start:end]))
        start = end
    return "".join((*pieces, masked_text(line[start:])))


def _cut(line: str, start: int, stop: int) -> int:
    """Where to cut between words, so that no credential is torn in two or from the word that announces it."""
    end = line.rfind(" ", start + 1, stop)
    while end > start and line[start:end].lower().endswith(_ANNOUNCING):
        end = line.rfind(" ", start + 1, end)
    return end
