"""Value types of settings: how a number, an amount or a list may be written.

A value comes from TOML with a type, or from the environment or the command line as text. Both spellings end
as the same value. A truth value is never a number here, and not-a-number and infinity are no settings.
"""

import json
import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from zoneinfo import available_timezones

from annotated_types import Gt, Len
from pydantic import AfterValidator, AllowInfNan, BeforeValidator, SecretStr, StringConstraints


@dataclass(frozen=True, slots=True)
class Accepts:
    """Put on a type: what it accepts, in words, where the bare type does not say it."""

    words: str


def _number(value: object) -> object:
    """Refuse truth values, which Python takes for 0 and 1."""
    if value is True or value is False:
        raise ValueError("not a number")
    return value.strip() if isinstance(value, str) else value


def _structure(value: object) -> object:
    """Read a list or table written as text: TOML, JSON, or plain words between commas."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.startswith(("[", "{")):
        return [word.strip() for word in text.split(",")] if text else []
    try:
        return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError:
        return json.loads(text, parse_float=Decimal)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _blank(value: object) -> object:
    """Take blank text for "not set"."""
    return None if isinstance(value, str) and not value.strip() else value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names) or any(not n or n != n.strip() for n in names):
        raise ValueError("names must differ and none may be empty")
    return names


def _timezone(name: str | None) -> str | None:
    if name is not None and name not in available_timezones():
        raise ValueError("not a time zone")
    return name


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("empty")
    return text.strip()


def _from_home(path: Path) -> Path:
    """Take a leading ~ for the user's home, as a shell would."""
    return Path.home().joinpath(*path.parts[1:]) if path.parts[:1] == ("~",) else path


def _ordered(spans: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    if any(not 0 <= first <= last for first, last in spans):
        raise ValueError("first bar after last bar")
    return spans


Blank = BeforeValidator(_blank)
"""Put on an optional type: blank text means "not set"."""

Whole: TypeAlias = Annotated[int, BeforeValidator(_number)]
Number: TypeAlias = Annotated[float, AllowInfNan(False), BeforeValidator(_number)]
Amount: TypeAlias = Annotated[Decimal, AllowInfNan(False), BeforeValidator(_number)]
Currency: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{3}$"), Accepts("three capital letters such as USD")
]
Text: TypeAlias = Annotated[str, AfterValidator(_text), Accepts("a text that is not blank")]
Folder: TypeAlias = Annotated[Path, AfterValidator(_from_home)]
Secret: TypeAlias = Annotated[SecretStr | None, Blank, Accepts("a secret text; never shown")]
Endpoint: TypeAlias = Annotated[str | None, Blank, Accepts("host:port, such as 10.0.0.5:6379")]
Day: TypeAlias = Annotated[date | None, Blank]
Names: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_structure),
    AfterValidator(_distinct),
    Accepts("a list of different names"),
]
Classes: TypeAlias = Annotated[
    tuple[Literal["equity", "etf", "index", "crypto", "fx", "future", "option", "bond", "event"], ...],
    BeforeValidator(_structure),
    AfterValidator(_distinct),
    Accepts("a list of equity, etf, index, crypto, fx, future, option, bond, event"),
]
SomeNames: TypeAlias = Annotated[Names, Len(1, 16), Accepts("a list of 1 to 16 different names")]
Spans: TypeAlias = Annotated[
    tuple[tuple[int, int], ...],
    BeforeValidator(_structure),
    AfterValidator(_ordered),
    Accepts("a list of pairs of bars such as [[100, 150]], first not after last"),
]
TimeZone: TypeAlias = Annotated[
    str | None, Blank, AfterValidator(_timezone), Accepts("an IANA time zone such as America/New_York")
]
Penalties: TypeAlias = Annotated[
    tuple[Annotated[float, AllowInfNan(False), Gt(0)], ...],
    BeforeValidator(_structure),
    Len(1, 100),
    Accepts("a list of numbers above 0"),
]
Parameters: TypeAlias = Annotated[
    dict[str, Number],
    BeforeValidator(_structure),
    Accepts("a table of numbers such as {kernel = 5}, or one of them under its own name"),
]
Variants: TypeAlias = Annotated[
    dict[str, Annotated[tuple[dict[str, float], ...], BeforeValidator(_structure)]],
    Accepts("for each strategy a list of tables of numbers such as [{lookback = 60}]"),
]
