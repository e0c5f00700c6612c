import json
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from jobs.cli import main
from nt_ray.storage.opening import open_journal
from nt_ray.trading.events import Deposited, OrderSubmitted

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite"
    journal = open_journal(path)
    journal.open_epoch()
    journal.append(
        [Deposited(NOW, "initial", Decimal("10.50")), *(OrderSubmitted(NOW, f"o.{n}") for n in range(2, 31))]
    )
    journal.close()
    return path


def tamper(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER events_are_not_changed")
    connection.execute("DROP TRIGGER events_are_not_deleted")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_whole_journal_is_said_to_be_whole(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "verify", str(path)]) == 0
    assert "is whole: 30 events" in capsys.readouterr().out
    assert main(["journal", "head", f"sqlite:///{path}"]) == 0
    head = capsys.readouterr().out.strip()
    assert main(["journal", "verify", str(path), "--expect-head", head, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["whole"], answer["events"], answer["head"], answer["expected_at"]) == (True, 30, head, 30)


def test_a_changed_event_is_named_and_the_exit_code_says_so(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tamper(path, "UPDATE events SET payload = replace(payload, '10.50', '99.50') WHERE seq = 1")
    assert main(["journal", "verify", str(path)]) == 1
    assert "is broken at event 1" in capsys.readouterr().out
    assert main(["journal", "verify", str(path), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["whole"], answer["fault"]["seq"]) == (False, 1)


def test_an_end_that_was_cut_off_is_seen_with_a_head_noted_earlier(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["journal", "head", str(path)])
    head = capsys.readouterr().out.strip()
    tamper(path, "DELETE FROM events WHERE seq > 20")
    assert main(["journal", "verify", str(path)]) == 0
    assert main(["journal", "verify", str(path), "--expect-head", head]) == 1
    assert "is broken at event 21" in capsys.readouterr().out


def test_show_prints_the_last_events_or_those_of_one_order(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "show", str(path), "--last", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["seq", "28", "29", "30"]
    assert main(["journal", "show", str(path), "--order", "o.7", "--json"]) == 0
    (event,) = json.loads(capsys.readouterr().out)["events"]
    assert (event["seq"], event["kind"], event["client_order_id"]) == (7, "OrderSubmitted", "o.7")
    assert main(["journal", "show", str(path), "--last", "100", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["events"]) == 30


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["verify", "absent.sqlite"], 2, "does not exist"),
        (["verify", "mysql://host/db"], 2, "mysql://"),
        (["head", "postgresql://host"], 2, "names no database"),
        (["show"], 2, "Missing argument"),
        (["show", "x.sqlite", "--last", "0"], 2, "--last"),
    ],
)
def test_what_makes_no_sense_is_named_without_a_traceback(
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["journal", *arguments]) == code
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_a_hash_that_is_none_is_bad_input(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "verify", str(path), "--expect-head", "12"]) == 2
    assert "64 hex digits" in capsys.readouterr().err


def test_looking_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    for command in ("verify", "show", "head"):
        assert main(["journal", command, str(path)]) == 0
    assert path.read_bytes() == before
