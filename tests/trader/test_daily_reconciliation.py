"""The daily reconciliation: due once after each close, kept with every difference, made up for after a restart."""

import json
import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import StorageError
from nt_ray.trader.daily_reconciliation import DailyReconciliation, day_due, kept_reconciliations
from nt_ray.trader.reconciliation import Difference, Reconciliation

# Friday before Thanksgiving week: the 26th is a holiday, on the 27th the exchange closes at 13:00 in New York.
CLOSE_FRIDAY = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
EARLY_CLOSE = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


class Account:
    """Compares when it is asked, at the time of its clock."""

    def __init__(self, path: Path, now: datetime) -> None:
        self.now, self.path = now, path
        self.differences: tuple[Difference, ...] = ()
        self.compared = 0
        self.daily = self.opened()

    def opened(self) -> DailyReconciliation:
        self.daily = DailyReconciliation(self.compare, self.path, lambda: self.now)
        return self.daily

    def compare(self) -> Reconciliation:
        self.compared += 1
        return Reconciliation("paper", self.now, 3, 2, 1, self.differences)

    def at(self, now: datetime) -> int:
        """Step at a time; how often it has compared by then."""
        self.now = now
        self.daily.step()
        return self.compared


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (CLOSE_FRIDAY + timedelta(minutes=14), date(2026, 11, 19)),
        (CLOSE_FRIDAY + QUARTER, date(2026, 11, 20)),
        (CLOSE_FRIDAY + timedelta(days=2), date(2026, 11, 20)),
        (EARLY_CLOSE, date(2026, 11, 25)),
        (EARLY_CLOSE + QUARTER, date(2026, 11, 27)),
    ],
)
def test_a_day_is_due_a_while_after_its_close_by_the_exchanges_calendar(now: datetime, day: date) -> None:
    assert day_due(now) == day


def test_an_account_compares_once_after_each_close_and_not_when_it_is_first_opened(tmp_path: Path) -> None:
    account = Account(tmp_path / "r.jsonl", CLOSE_FRIDAY - timedelta(hours=3))
    assert account.at(CLOSE_FRIDAY) == 0
    assert account.at(CLOSE_FRIDAY + QUARTER) == 1
    assert account.at(CLOSE_FRIDAY + timedelta(days=2)) == 1
    monday = CLOSE_FRIDAY + timedelta(days=3) + QUARTER
    assert account.at(monday) == 2
    assert [line["day"] for line in kept_reconciliations(tmp_path / "r.jsonl")] == ["2026-11-20", "2026-11-23"]


def test_a_close_that_nobody_watched_is_made_up_for_once(tmp_path: Path) -> None:
    account = Account(tmp_path / "r.jsonl", CLOSE_FRIDAY - timedelta(hours=3))
    account.now = CLOSE_FRIDAY + timedelta(hours=5)
    account.opened()
    assert account.at(account.now) == 1
    account.opened()
    assert account.at(account.now) == 1


def test_every_difference_is_kept_by_name_and_told_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    account = Account(tmp_path / "r.jsonl", CLOSE_FRIDAY)
    account.differences = (
        Difference("position", "AAPL", "2", "5", "Look for trades."), Difference("cash", "USD", "1", "2", "Look.")
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        account.at(CLOSE_FRIDAY + QUARTER)
    (line,) = kept_reconciliations(tmp_path / "r.jsonl")
    assert (line["agrees"], line["orders"], line["executions"]) == (False, 3, 2)
    assert [(d["kind"], d["key"], d["ours"], d["venue"]) for d in line["differences"]] == [
        ("position", "AAPL", "2", "5"), ("cash", "USD", "1", "2")
    ]  # fmt: skip
    assert ["AAPL" in told.message or "USD" in told.message for told in caplog.records] == [True, True]


def test_a_comparison_that_fails_is_made_again(tmp_path: Path) -> None:
    account = Account(tmp_path / "r.jsonl", CLOSE_FRIDAY)
    answers = iter([OSError("away"), None])

    def compare() -> Reconciliation:
        error = next(answers)
        if error:
            raise error
        return account.compare()

    daily = DailyReconciliation(compare, account.path, lambda: CLOSE_FRIDAY + QUARTER)
    with pytest.raises(OSError, match="away"):
        daily.step()
    daily.step()
    daily.step()
    assert account.compared == 1


def test_without_a_file_nothing_is_compared(tmp_path: Path) -> None:
    account = Account(tmp_path / "r.jsonl", CLOSE_FRIDAY)
    DailyReconciliation(account.compare, None, lambda: CLOSE_FRIDAY + timedelta(days=9)).after(lambda: None)()
    assert account.compared == 0


@given(cut=st.integers(0, 200))
def test_a_line_that_a_crash_cut_off_is_no_line_and_the_file_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("days") / "r.jsonl"
    account = Account(path, CLOSE_FRIDAY)
    account.at(CLOSE_FRIDAY + QUARTER)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(len(whole) - cut, 0)])
    account.opened()
    account.at(CLOSE_FRIDAY + timedelta(days=3) + QUARTER)
    assert [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert kept_reconciliations(path)[-1]["day"] in ("2026-11-23", "2026-11-20")


def test_a_file_that_holds_something_else_is_named_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("day,agrees\n", "utf-8")
    with pytest.raises(StorageError, match=r"r\.jsonl holds no reconciliations .* Move it away"):
        Account(path, CLOSE_FRIDAY)
