"""Watchlists in their file: names that are there once, order, several writers, what outlives the process."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nt_ray.errors import BadInputError, StorageError
from nt_ray.trader import watchlists
from nt_ray.trader.watchlists import UnknownWatchlistError, WatchlistNameError, Watchlists, WatchlistSizeError

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def test_what_was_changed_is_there_in_another_process_and_accounts_see_their_own(tmp_path: Path) -> None:
    times = iter(NOW + timedelta(seconds=n) for n in range(9))
    lists = Watchlists(tmp_path / "deep" / "w.sqlite", lambda: next(times))
    made = lists.add("paper", "Fruit", ["AAPL", "BRK.B", "AAPL"])
    assert (made.symbols, made.created_at) == (("AAPL", "BRK.B"), NOW)
    lists.put("paper", made.id, "MSFT")
    lists.put("paper", "Fruit", "AAPL", by_name=True)
    lists.take("paper", made.id, "BRK.B")
    lists.change("paper", made.id, name="Other")
    other = Watchlists(tmp_path / "deep" / "w.sqlite")
    (found,) = other.all("paper")
    assert (found.id, found.name, found.symbols) == (made.id, "Other", ("AAPL", "MSFT"))
    assert found.created_at == NOW < found.updated_at
    assert other.find("paper", "Other", by_name=True) == found
    assert other.all("second") == []
    with pytest.raises(UnknownWatchlistError):
        other.find("second", made.id)
    other.delete("paper", made.id)
    with pytest.raises(UnknownWatchlistError):
        lists.find("paper", made.id)
    lists.close()
    other.close()


def test_a_name_is_there_once_in_an_account(tmp_path: Path) -> None:
    lists = Watchlists(tmp_path / "w.sqlite")
    lists.add("paper", "one", [])
    second = lists.add("paper", "two", [])
    lists.add("second", "one", [])
    with pytest.raises(WatchlistNameError, match="'one'"):
        lists.add("paper", "one", [])
    with pytest.raises(WatchlistNameError):
        lists.change("paper", second.id, name="one")
    assert lists.change("paper", second.id, name="two", symbols=["KO"]).symbols == ("KO",)
    lists.close()


def test_twenty_writers_at_once_lose_no_symbol(tmp_path: Path) -> None:
    writers = [Watchlists(tmp_path / "w.sqlite") for _ in range(4)]
    made = writers[0].add("paper", "busy", [])
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda n: writers[n % 4].put("paper", made.id, f"S{n}"), range(20)))
    assert sorted(writers[3].find("paper", made.id).symbols) == sorted(f"S{n}" for n in range(20))
    for one in writers:
        one.close()


def test_there_is_an_end_to_lists_and_to_symbols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchlists, "MOST_LISTS", 1)
    monkeypatch.setattr(watchlists, "MOST_SYMBOLS", 2)
    lists = Watchlists(tmp_path / "w.sqlite")
    made = lists.add("paper", "one", ["A", "B"])
    for fails in (lambda: lists.put("paper", made.id, "C"), lambda: lists.add("paper", "two", [])):
        with pytest.raises(WatchlistSizeError):
            fails()
    assert lists.find("paper", made.id) == made
    assert issubclass(WatchlistSizeError, BadInputError)
    lists.close()


def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "w.sqlite").write_text("no database at all, but long enough to be read as a header of one" * 20)
    with pytest.raises(StorageError, match=r"w\.sqlite"):
        Watchlists(tmp_path / "w.sqlite").all("paper")
