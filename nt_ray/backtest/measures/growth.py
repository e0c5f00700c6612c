"""Measures of growth: whole, by calendar period, and up to now."""

import math

import numpy as np

from nt_ray.backtest.measures.base import FRACTION, Measure, measured
from nt_ray.backtest.measures.evidence import Evidence
from nt_ray.backtest.metrics import compounded


def _period_start(e: Evidence, unit: str) -> int:
    last = e.times[-1:].astype("datetime64[ns]")
    if unit == "Q":
        months = last.astype("datetime64[M]").astype(np.int64)
        last = (months // 3 * 3).astype("datetime64[M]")
    else:
        last = last.astype(f"datetime64[{unit}]")
    return int(last.astype("datetime64[ns]").astype(np.int64)[0])


def _years_back(e: Evidence, years: int) -> float | None:
    """Return since the same calendar day `years` years ago; None where the history is shorter."""
    end = e.times[-1:].astype("datetime64[ns]").astype("datetime64[D]")
    month = end.astype("datetime64[M]")
    day = (end - month.astype("datetime64[D]")).astype(np.int64)
    # The 29th of February has no like in most years: the day after is then the first of March.
    past = (month - np.timedelta64(12 * years, "M")).astype("datetime64[D]") + day.astype("timedelta64[D]")
    moment = int((past + np.timedelta64(1, "D")).astype("datetime64[ns]").astype(np.int64)[0])
    return e.growth_since(moment) if e.times[0] < moment else None


@measured("Total return", FRACTION)
def total_return(e: Evidence) -> float | None:
    """V_n / V_0 - 1."""
    return e.metrics.total_return


@measured("CAGR (bars)", FRACTION)
def cagr(e: Evidence) -> float | None:
    """(V_n / V_0)^(q/n) - 1: n bars, q a year. None after ruin."""
    return e.metrics.cagr


@measured("CAGR (calendar)", FRACTION)
def cagr_calendar(e: Evidence) -> float | None:
    """(V_n / V_0)^(1/y) - 1, y the calendar years of 365.25 days from first to last bar plus one average bar."""
    if e.returns is None or e.years <= 0.0:
        return None
    exponent = math.log(e.equity[-1] / e.equity[0]) / e.years
    return compounded(exponent)


@measured("Mean return a year", FRACTION)
def mean_annual(e: Evidence) -> float | None:
    """Arithmetic mean return of a bar times q; not compounded."""
    return None if e.returns is None else float(np.mean(e.returns)) * e.periods_per_year


@measured("Month to date", FRACTION)
def month_to_date(e: Evidence) -> float | None:
    """Return since the last bar before the month (UTC) of the last bar."""
    return e.growth_since(_period_start(e, "M"))


@measured("Quarter to date", FRACTION)
def quarter_to_date(e: Evidence) -> float | None:
    """Return since the last bar before the calendar quarter of the last bar."""
    return e.growth_since(_period_start(e, "Q"))


@measured("Year to date", FRACTION)
def year_to_date(e: Evidence) -> float | None:
    """Return since the last bar before the calendar year of the last bar."""
    return e.growth_since(_period_start(e, "Y"))


@measured("Last year", FRACTION)
def last_year(e: Evidence) -> float | None:
    """Return since the last bar up to and with the same day a year earlier; None for a shorter history."""
    return _years_back(e, 1)


@measured("Last three years, a year", FRACTION)
def last_three_years(e: Evidence) -> float | None:
    """Compound yearly return since the same day three years earlier; None for a shorter history or after ruin."""
    total = _years_back(e, 3)
    return None if total is None or total <= -1.0 else float((1.0 + total) ** (1.0 / 3.0) - 1.0)


@measured("Best bar", FRACTION)
def best_bar(e: Evidence) -> float | None:
    """Largest return of one bar."""
    return e.metrics.best


@measured("Worst bar", FRACTION)
def worst_bar(e: Evidence) -> float | None:
    """Smallest return of one bar."""
    return e.metrics.worst


@measured("Best day", FRACTION)
def best_day(e: Evidence) -> float | None:
    """Largest return of a calendar day (UTC), bars compounded."""
    return float(np.max(e.by_period("D")))


@measured("Worst day", FRACTION)
def worst_day(e: Evidence) -> float | None:
    """Smallest return of a calendar day."""
    return float(np.min(e.by_period("D")))


@measured("Best month", FRACTION)
def best_month(e: Evidence) -> float | None:
    """Largest return of a calendar month; the first and last may be cut short."""
    return float(np.max(e.by_period("M")))


@measured("Worst month", FRACTION)
def worst_month(e: Evidence) -> float | None:
    """Smallest return of a calendar month."""
    return float(np.min(e.by_period("M")))


@measured("Best year", FRACTION)
def best_year(e: Evidence) -> float | None:
    """Largest return of a calendar year; the first and last may be cut short."""
    return float(np.max(e.by_period("Y")))


@measured("Worst year", FRACTION)
def worst_year(e: Evidence) -> float | None:
    """Smallest return of a calendar year."""
    return float(np.min(e.by_period("Y")))


@measured("Positive bars", FRACTION)
def positive_bars(e: Evidence) -> float | None:
    """Share of bars with a return above zero among all bars."""
    return e.metrics.positive_share


@measured("Positive months", FRACTION)
def positive_months(e: Evidence) -> float | None:
    """Share of calendar months with a return above zero among all months."""
    return float(np.mean(e.by_period("M") > 0.0))


@measured("Positive years", FRACTION)
def positive_years(e: Evidence) -> float | None:
    """Share of calendar years with a return above zero among all years."""
    return float(np.mean(e.by_period("Y") > 0.0))


MEASURES: tuple[Measure, ...] = (
    total_return, cagr, cagr_calendar, mean_annual, month_to_date, quarter_to_date, year_to_date, last_year,
    last_three_years, best_bar, worst_bar, best_day, worst_day, best_month, worst_month, best_year, worst_year,
    positive_bars, positive_months, positive_years,
)  # fmt: skip
