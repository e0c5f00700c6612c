from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobs.cli import main
from nt_ray.access.audit import AuditLog

Answer = Callable[..., dict[str, Any]]
FOLDER = Path("state/access/audit")


@pytest.fixture
def log(answer: Answer) -> AuditLog:
    """In the folder of the test's own, into which `answer` has gone."""
    log = AuditLog(FOLDER, lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), file_bytes=1000)
    for number in range(9):
        log.append("orders.submit" if number % 2 else "keys.add", "ada" if number % 3 else "bob", target=f"t.{number}")
    return log


def test_a_whole_log_is_said_to_be_whole(log: AuditLog, answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer("audit", "verify")
    assert (found["whole"], found["entries"], found["fault"]) == (True, 9, None)
    log.append("x", "ada")
    assert answer("audit", "verify", str(FOLDER), "--expect-head", found["head"])["expected_at"] == 9
    assert main(["audit", "verify"]) == 0
    assert "is whole: 10 entries, head " in capsys.readouterr().out


@pytest.mark.usefixtures("log")
def test_a_changed_line_is_named_and_the_exit_code_says_so(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    first = min(FOLDER.glob("audit-*.jsonl"))
    first.write_text(first.read_text().replace("t.1", "t.7"))
    found = answer("audit", "verify", code=1)
    assert (found["whole"], found["fault"]["seq"], found["fault"]["line"]) == (False, 2, 2)
    assert main(["audit", "verify"]) == 1
    assert f"is broken at entry 2 ({first.name}, line 2)" in capsys.readouterr().out


@pytest.mark.usefixtures("log")
def test_entries_are_shown_by_who_and_what(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    shown = answer("audit", "show", "--who", "ada", "--action", "keys.", "--last", "2")["entries"]
    assert [entry["what"]["target"] for entry in shown] == ["t.4", "t.8"]
    assert main(["audit", "show", "--last", "1"]) == 0
    out = capsys.readouterr().out
    assert "t.8" in out
    assert "t.7" not in out


def test_a_log_that_is_not_there_and_a_hash_that_is_none_are_said(answer: Answer) -> None:
    assert answer("audit", "verify", code=2)["error"]["code"] == "missing"
    assert answer("audit", "show", "nowhere", code=2)["error"]["code"] == "missing"
    FOLDER.mkdir(parents=True)
    assert answer("audit", "verify", "--expect-head", "xyz", code=2)["error"]["code"] == "bad_input"
