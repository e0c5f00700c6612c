"""History's crises as windows of dates, replayed on today's weights as far as the data reach.

A window runs from the close of its first day to the close of its last. It is covered only where returns reach back to
the first day and on to the last without a gap; otherwise the result says why not, and no loss is made up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_weights
from nt_ray.types import FloatArray, IntArray

_DAY = 86_400_000_000_000
LARGEST_GAP = 7
"""Days between neighbouring returns above which the data are said to have a gap; exchanges closed for six in 2001."""


@dataclass(frozen=True, slots=True)
class Window:
    """A crisis: the last calm close, the last close counted, and what it was."""

    name: str
    start: date
    end: date
    description: str


WINDOWS = (
    Window("black_monday_1987", date(1987, 10, 13), date(1987, 10, 19), "The crash of 19 October 1987"),
    Window("ltcm_1998", date(1998, 7, 17), date(1998, 8, 31), "Russia's default and the fall of a large hedge fund"),
    Window("dot_com_2000_2002", date(2000, 3, 24), date(2002, 10, 9), "The end of the technology boom"),
    Window("financial_crisis_2007_2009", date(2007, 10, 9), date(2009, 3, 9), "The financial crisis, peak to trough"),
    Window(
        "lehman_2008_2009", date(2008, 9, 12), date(2009, 3, 9), "From the failure of Lehman Brothers to the trough"
    ),
    Window("flash_crash_2010", date(2010, 5, 5), date(2010, 5, 6), "The day of the flash crash, by closes"),
    Window("us_downgrade_2011", date(2011, 7, 22), date(2011, 8, 8), "The downgrade of US debt"),
    Window("china_2015", date(2015, 8, 17), date(2015, 8, 25), "China's devaluation and the open of 24 August"),
    Window("volatility_2018", date(2018, 1, 26), date(2018, 2, 8), "The collapse of short-volatility funds"),
    Window("late_2018", date(2018, 9, 20), date(2018, 12, 24), "The last quarter of 2018"),
    Window("covid_2020", date(2020, 2, 19), date(2020, 3, 23), "The pandemic's first weeks"),
    Window("inflation_2022", date(2022, 1, 3), date(2022, 6, 30), "Rising rates, first half of 2022"),
)
"""Dates are trading days in New York."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowResult:
    """What a book bought at a window's first close and left alone has lost. None where the data do not cover it."""

    name: str
    start: date
    end: date
    covered: bool
    reason: str
    """Why it is not covered; empty where it is."""
    loss: float | None = None
    """At the end, as a fraction of equity at the start."""
    worst_loss: float | None = None
    """At the worst close inside, from the start."""
    worst_day: float | None = None
    """Largest loss of one period, as a fraction of equity at the start."""
    by_asset: FloatArray | None = None
    """(N,) losses at the end; they sum to the loss."""
    periods: int = 0
    assumptions: tuple[str, ...] = ()


def replay(
    returns: FloatArray,
    timestamps: IntArray,
    weights: FloatArray,
    *,
    names: Sequence[str] | None = None,
    windows: Sequence[Window] = WINDOWS,
    since: datetime | None = None,
) -> tuple[WindowResult, ...]:
    """Replay windows of history on a book.

    Parameters
    ----------
    returns
        (T, N) simple returns; NaN where an asset has none, which leaves windows it falls into uncovered.
    timestamps
        (T,) nanoseconds since the epoch, UTC, increasing: when each return ends.
    weights
        (N,) fractions of equity at the start of each window, shorts negative; the rest is cash.
    names
        (N,) for messages.
    windows
        Those of `WINDOWS` or one's own.
    since
        Close that the first return starts from; None: the first return covers no window that starts before its end.
    """
    values, times = _checked(returns, timestamps, since)
    book = check_weights(weights, values.shape[1])
    labels = tuple(names) if names is not None else tuple(str(place) for place in range(book.size))
    if len(labels) != book.size:
        raise RiskError(f"There are {len(labels)} names for {book.size} assets. Give one each.")
    days = times // _DAY
    first = days[0] if since is None else int(since.timestamp()) // 86_400
    return tuple(_replay(window, values, days, int(first), book, labels) for window in windows)


def own_window(name: str, start: date, end: date, description: str = "") -> Window:
    """Return a window of one's own dates."""
    if not start < end:
        raise RiskError(f"Window {name!r} runs from {start} to {end}. Give a start before its end.")
    return Window(name, start, end, description)


def _replay(
    window: Window, values: FloatArray, days: IntArray, first: int, book: FloatArray, names: tuple[str, ...]
) -> WindowResult:
    start, end = (_number(day) for day in (window.start, window.end))
    inside = (days > start) & (days <= end)
    reason = _missing(values[inside], days, inside, (first, start, end), book, names)
    if reason:
        return WindowResult(name=window.name, start=window.start, end=window.end, covered=False, reason=reason)
    held = book != 0.0
    growth = np.cumprod(1.0 + values[inside][:, held], axis=0)
    path = np.concatenate([[0.0], -((growth - 1.0) @ book[held])])
    losses = np.zeros(book.size)
    losses[held] = -book[held] * (growth[-1] - 1.0)
    return WindowResult(
        name=window.name,
        start=window.start,
        end=window.end,
        covered=True,
        reason="",
        loss=float(losses.sum()),
        worst_loss=float(path.max()),
        worst_day=float(np.diff(path).max()),
        by_asset=losses,
        periods=int(inside.sum()),
        assumptions=("today's weights bought at the first close and left alone", "no dividends, costs or margin calls"),
    )


def _missing(
    inside: FloatArray,
    days: IntArray,
    chosen: np.ndarray,
    marks: tuple[int, int, int],
    book: FloatArray,
    names: tuple[str, ...],
) -> str:
    """Why the data do not cover a window; empty where they do."""
    first, start, end = marks
    if first > start:
        return f"the data begin on {_date(first)}, after the window"
    if days[-1] < end:
        return f"the data end on {_date(int(days[-1]))}, before the window does"
    if not inside.size:
        return "there is no return inside the window"
    marked = np.concatenate([[start], days[chosen], [end]])
    widest = int(np.argmax(np.diff(marked)))
    if np.diff(marked)[widest] > LARGEST_GAP:
        return f"there is no return between {_date(int(marked[widest]))} and {_date(int(marked[widest + 1]))}"
    lacking = ~np.isfinite(inside).all(axis=0) & (book != 0.0)
    return f"{names[int(np.argmax(lacking))]} lacks returns inside the window" if lacking.any() else ""


def _checked(returns: FloatArray, timestamps: IntArray, since: datetime | None) -> tuple[FloatArray, IntArray]:
    values, times = np.asarray(returns, dtype=np.float64), np.asarray(timestamps)
    if values.ndim != 2 or not values.size or times.shape != (values.shape[0],):
        raise RiskError(
            f"Returns have shape {values.shape} and timestamps {times.shape}. Give one row and one time a period."
        )
    if not np.issubdtype(times.dtype, np.integer) or (np.diff(times) <= 0).any():
        raise RiskError("Timestamps are not increasing whole nanoseconds. Sort the rows and drop repeated ones.")
    if np.isinf(values).any() or (values < -1.0).any():
        raise RiskError("A return is infinite or below -1. Give simple returns, or NaN where there is none.")
    if since is not None and since.tzinfo is None:
        raise RiskError(f"since={since} has no time zone. Give one in UTC.")
    return values, times.astype(np.int64)


def _number(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) // 86_400


def _date(number: int) -> date:
    return datetime.fromtimestamp(number * 86_400, tz=UTC).date()
