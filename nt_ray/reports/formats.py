"""Numbers and text as a report shows them; every string is escaped here, and what is undefined is a dash."""

import html
import math
from datetime import UTC, datetime

import numpy as np

from nt_ray.types import IntArray

UNDEFINED = "–"
DAY_NS = 86_400_000_000_000


def text(value: object) -> str:
    """Escape a value for HTML."""
    return UNDEFINED if value is None else html.escape(str(value), quote=True)


def label(value: object) -> str:
    """Escape a value for a plotly text, which knows a few tags."""
    return html.escape(str(value), quote=False)


def percent(value: float | None, decimals: int = 2) -> str:
    """Show a fraction in percent."""
    return UNDEFINED if value is None else number(100.0 * value, decimals, " %")


def number(value: float | None, decimals: int = 2, unit: str = "") -> str:
    """Show a number with thousands separated."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    shown = f"{value:,.{decimals}f}"
    # A typographic minus is as wide as a digit, so columns stay aligned; minus zero is zero.
    is_zero = not any(digit in shown for digit in "123456789")
    return (shown.lstrip("-") if is_zero else shown.replace("-", "−")) + unit


def money(value: float | None) -> str:
    """Show money to the cent."""
    return number(value, 2)


def exact(value: object) -> str:
    """Show a quantity or price without trailing zeros."""
    if value is None:
        return UNDEFINED
    shown = format(value, "f") if not isinstance(value, float) else f"{value:.10g}"
    return text(shown.rstrip("0").rstrip(".") if "." in shown else shown)


def day(moment: datetime | None) -> str:
    """Show a day, or a minute where the time is not midnight."""
    if moment is None:
        return UNDEFINED
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%d" if moment.hour == moment.minute == 0 else "%Y-%m-%d %H:%M")


def stamps(times: IntArray) -> list[str]:
    """Times as plotly reads them: days where all are midnight, else seconds."""
    moments = np.asarray(times).astype("datetime64[ns]")
    shown = moments.astype("datetime64[s]" if np.any(times % DAY_NS) else "datetime64[D]")
    return [str(moment) for moment in shown]
