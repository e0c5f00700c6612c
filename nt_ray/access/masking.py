"""Masking: what goes into a log keeps its shape and loses its secrets.

A field whose name speaks of a secret is masked whole; within other texts, what has the form of a key, a token or a
password in an address is. Sizes are bounded, and the result is plain JSON. Masking cannot know a secret of no known
form in a field of no known name.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "***"
_LONGEST_TEXT: Final = 1000
_MOST_ITEMS: Final = 100
_DEEPEST: Final = 6
_NAMES: Final = re.compile(
    r"passw|pwd|secret|token|authorization|cookie|credential|pepper|private|signature|otp"
    r"|(^|[^a-z])(api|access)?[-_ ]?key([^a-z]|$)",
    re.IGNORECASE,
)
_INNOCENT: Final = frozenset({"token_type", "client_order_id", "key_id", "idempotency_key"})
_FORMS: Final = re.compile(
    r"nt_[A-Z2-7]{16}_\w+"  # our keys; the id alone is public
    r"|ntr_[\w-]+"  # refresh tokens
    r"|eyJ[\w-]+\.[\w-]*(\.[\w-]*)?"  # JSON web tokens
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user and password of an address
    r"|(?<=bearer )\S+"
    r"|(?<=basic )\S+",
    re.IGNORECASE,
)


def masked(value: Any) -> Any:
    """Give a value as JSON, without secrets, cut where it is too large."""
    return _masked(value, 0)


def masked_text(text: str) -> str:
    """Give a text without what has the form of a secret, cut where it is too long; always valid Unicode."""
    plain = _FORMS.sub(MASK, text[: 4 * _LONGEST_TEXT]).encode("utf-8", "replace").decode()
    return plain if len(plain) <= _LONGEST_TEXT else f"{plain[:_LONGEST_TEXT]}…"


def speaks_of_a_secret(name: str) -> bool:
    """Tell whether the field of a name is masked whole."""
    return name.lower() not in _INNOCENT and _NAMES.search(name) is not None


def _masked(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value) if abs(value) < 2**63 else masked_text(f"{value:#x}")
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        items = list(value.items())[:_MOST_ITEMS]
        return {
            masked_text(str(name)): MASK if speaks_of_a_secret(str(name)) else _masked(item, depth + 1)
            for name, item in items
        }
    if isinstance(value, list | tuple | set | frozenset):
        some = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [_masked(item, depth + 1) for item in list(some)[:_MOST_ITEMS]]
    return masked_text(str(value))
