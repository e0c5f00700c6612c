import hashlib
import json
import os
import random
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nt_ray.access import audit
from nt_ray.access.audit import ACTIVE, AuditLog, open_audit
from nt_ray.access.audit_lines import AuditError
from nt_ray.access.audit_reading import last_entries, verify
from nt_ray.config import Access
from nt_ray.errors import BadInputError, StorageError
from nt_ray.storage.chain import HashError

SMALL = 600
"""Bytes of a file, so that a few entries fill it."""


@pytest.fixture
def log(tmp_path: Path, clock: Callable[[], Any]) -> AuditLog:
    return AuditLog(tmp_path / "audit", clock, file_bytes=SMALL)


def fill(log: AuditLog, count: int = 12) -> list[bytes]:
    append(log, count)
    return lines(log)


def append(log: AuditLog, count: int) -> None:
    for number in range(count):
        log.append("orders.submit", "ada", target=f"o.{number}", details={"symbol": "KO", "quantity": number})


def files(log: AuditLog) -> list[Path]:
    return [*sorted(log.folder.glob("audit-*.jsonl")), *log.folder.glob(ACTIVE)]


def lines(log: AuditLog) -> list[bytes]:
    return [line for path in files(log) for line in path.read_bytes().splitlines(keepends=True)]


def test_an_entry_says_who_did_what_to_what_from_where(log: AuditLog, clock: Any) -> None:
    log.append("keys.revoke", "ada", outcome="denied", target="K1", address="10.0.0.1", request="r-1")
    (entry,) = map(json.loads, lines(log))
    assert entry.pop("hash")
    assert entry == {
        "seq": 1,
        "time": clock().isoformat(),
        "action": "keys.revoke",
        "who": "ada",
        "what": {"outcome": "denied", "target": "K1", "address": "10.0.0.1", "request": "r-1"},
    }


def test_each_line_is_chained_to_the_one_before_across_files(log: AuditLog) -> None:
    before = bytes(32)
    written = fill(log)
    assert len(files(log)) > 2
    for number, line in enumerate(written, 1):
        entry = json.loads(line)
        payload = json.dumps(entry["what"], sort_keys=True, separators=(",", ":"))
        time, action, who = entry["time"], entry["action"], entry["who"]
        lengths = f"{number} 0 {len(time)} {len(action)} {len(who)} {len(payload)}"
        before = hashlib.sha256(before + f"{lengths} {time}{action}{who}{payload}".encode()).digest()
        assert (entry["seq"], entry["hash"]) == (number, before.hex())
    found = verify(log.folder)
    assert (found.entries, found.head, found.fault) == (12, before.hex(), None)


def test_files_are_closed_to_others_and_none_grows_beyond_its_size(log: AuditLog) -> None:
    fill(log)
    assert {stat.S_IMODE(path.stat().st_mode) for path in log.folder.iterdir()} == {0o600}
    assert max(path.stat().st_size for path in files(log)) <= SMALL
    assert [path.name for path in files(log)][:-1] == sorted(path.name for path in log.folder.glob("audit-*"))


def test_an_entry_larger_than_a_file_is_written_all_the_same(log: AuditLog) -> None:
    fill(log, 1)
    log.append("x", "ada", details={"text": "y" * 900})
    log.append("x", "ada")
    found = verify(log.folder)
    assert (found.entries, found.fault) == (3, None)


def test_details_without_end_are_left_out_and_said(log: AuditLog) -> None:
    entry = log.append("x", "ada", details={str(n): ["y" * 1000] * 50 for n in range(100)})
    assert entry.what["details"]["left_out_bytes"] > 16_384
    assert len(lines(log)[0]) < 1000


def test_secrets_are_masked_before_they_are_written(log: AuditLog) -> None:
    log.append("login", "Bearer hunter22", details={"password": "hunter22", "url": "redis://x:hunter22@y/0"})
    assert b"hunter22" not in lines(log)[0]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.floats() | st.integers()))
def test_whatever_is_written_is_one_line_that_verifies(
    log: AuditLog, action: str, who: str, target: str, details: dict[str, Any]
) -> None:
    before = len(lines(log))
    log.append(action, who, target=target, details=details)
    assert len(lines(log)) == before + 1
    assert verify(log.folder).fault is None


def rewritten(log: AuditLog, changed: list[bytes]) -> None:
    """Put lines back into the files, as many in each as there were."""
    rest = list(changed)
    for path in files(log):
        count = len(path.read_bytes().splitlines())
        path.write_bytes(b"".join(rest[:count]))
        rest = rest[count:]
    with (log.folder / ACTIVE).open("ab") as file:
        file.write(b"".join(rest))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_letter_anywhere_is_found_at_its_line(tmp_path_factory: Any, clock: Any, data: Any) -> None:
    log = AuditLog(tmp_path_factory.mktemp("audit"), clock, file_bytes=SMALL)
    written = fill(log, 8)
    number = data.draw(st.integers(0, 7))
    line = written[number]
    place = data.draw(st.integers(0, len(line) - 1))
    letter = data.draw(st.integers(0, 255).filter(lambda n: n != line[place]))
    rewritten(log, [*written[:number], line[:place] + bytes([letter]) + line[place + 1 :], *written[number + 1 :]])
    fault = verify(log.folder).fault
    assert fault is not None
    assert fault.seq == number + 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10), st.integers(0, 10))
def test_a_removed_moved_or_doubled_line_is_found(tmp_path_factory: Any, clock: Any, one: int, other: int) -> None:
    log = AuditLog(tmp_path_factory.mktemp("audit"), clock, file_bytes=SMALL)
    written = fill(log)
    removed = written[:one] + written[one + 1 :]
    moved = [*removed[:other], written[one], *removed[other:]]
    doubled = [*written[:one], written[one], *written[one:]]
    for changed, first in ((removed, one), (moved, min(one, other)), (doubled, one + 1)):
        if changed != written:
            rewritten(log, changed)
            fault = verify(log.folder).fault
            assert fault is not None
            assert fault.seq == first + 1
        rewritten(log, written)
        assert verify(log.folder).fault is None


def test_a_line_hashed_anew_by_a_forger_breaks_the_next_one(log: AuditLog) -> None:
    from nt_ray.access.audit_lines import parse
    from nt_ray.storage.chain import link

    written = fill(log)
    before, entry = parse(written[3]), parse(written[4])._replace(who="bob")
    forged = entry._replace(hash=link(before.hash, entry.seq, 0, entry.written))
    rewritten(log, [*written[:4], forged.line, *written[5:]])
    fault = verify(log.folder).fault
    assert fault is not None
    assert fault.seq == 6
    assert fault.line >= 1
    assert (log.folder / fault.file).is_file()


def test_a_line_in_another_spelling_is_no_entry(log: AuditLog) -> None:
    written = fill(log)
    entry = json.loads(written[2])
    spelled = json.dumps(entry).encode() + b"\n"
    doubled = written[2].replace(b'"who":"ada"', b'"who":"bob","who":"ada"')
    assert json.loads(doubled) == json.loads(spelled) == entry
    for line in (spelled, doubled):
        rewritten(log, [*written[:2], line, *written[3:]])
        fault = verify(log.folder).fault
        assert fault is not None
        assert (fault.seq, "is no entry" in fault.reason) == (3, True)


def test_a_cut_off_end_is_found_with_a_head_noted_earlier(log: AuditLog) -> None:
    fill(log, 3)
    noted = verify(log.folder).head
    written = fill(log, 5)
    found = verify(log.folder, noted)
    assert (found.fault, found.expected_at) == (None, 3)
    noted = found.head
    rewritten(log, written[:-2])
    assert verify(log.folder).fault is None
    fault = verify(log.folder, noted).fault
    assert fault is not None
    assert "cut off" in fault.reason
    with pytest.raises(HashError):
        verify(log.folder, "no hash")


def test_a_removed_file_is_found(log: AuditLog) -> None:
    fill(log)
    first = files(log)[0]
    count = len(first.read_bytes().splitlines())
    first.unlink()
    fault = verify(log.folder).fault
    assert fault is not None
    assert f"row {count + 1} comes in its place" in fault.reason


def test_what_a_dying_writer_left_is_cut_off_and_reported(log: AuditLog, clock: Any) -> None:
    written = fill(log, 3)
    torn = written[0][:57]
    with (log.folder / ACTIVE).open("ab") as file:
        file.write(torn)
    assert verify(log.folder).fault is not None
    AuditLog(log.folder, clock, file_bytes=SMALL).append("login", "bob")
    log.append("login", "eve")
    assert verify(log.folder).fault is None
    found = last_entries(log.folder, 3)
    assert [entry.action for entry in found] == ["audit.recovered", "login", "login"]
    assert found[0].what["details"] == {"bytes": 57, "sha256": hashlib.sha256(torn).hexdigest()}


def test_a_writer_that_died_between_two_files_breaks_nothing(log: AuditLog, clock: Any) -> None:
    fill(log)
    (log.folder / ACTIVE).rename(log.folder / "audit-000000000012.jsonl")
    AuditLog(log.folder, clock, file_bytes=SMALL).append("login", "bob")
    found = verify(log.folder)
    assert (found.entries, found.fault) == (13, None)


def test_nothing_is_chained_to_a_last_line_that_cannot_be_read(log: AuditLog, clock: Any) -> None:
    fill(log, 2)
    with (log.folder / ACTIVE).open("ab") as file:
        file.write(b"{}\n")
    before = lines(log)
    with pytest.raises(AuditError, match="audit verify"):
        AuditLog(log.folder, clock).append("login", "bob")
    assert lines(log) == before


def test_threads_write_one_chain(log: AuditLog) -> None:
    threads = [threading.Thread(target=append, args=(log, 20)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verify(log.folder)
    assert (found.entries, found.fault) == (80, None)


PROGRAM = """
import sys
from pathlib import Path
from nt_ray.access.audit import AuditLog
from nt_ray.access.gatekeeper import utc_now
log = AuditLog(Path(sys.argv[1]), utc_now, file_bytes=3000)
print("ready", flush=True)
sys.stdin.readline()
for number in range(200):
    log.append("orders.submit", sys.argv[2], target=str(number))
"""


def test_processes_write_one_chain_and_lose_nothing(log: AuditLog, at_once: Callable[..., Any]) -> None:
    runs = at_once(PROGRAM, *((log.folder, name) for name in ("one", "two", "three")))
    # Reading goes on meanwhile, and never sees a half of anything.
    while any(run.poll() is None for run in runs):
        assert verify(log.folder).fault is None
    assert [run.wait() for run in runs] == [0, 0, 0]
    found = verify(log.folder)
    assert (found.entries, found.fault) == (600, None)
    written = [json.loads(line) for line in lines(log)]
    for name in ("one", "two", "three"):
        assert [e["what"]["target"] for e in written if e["who"] == name] == [str(n) for n in range(200)]


def test_a_reader_who_is_there_before_the_first_writer_sees_no_half_of_what_he_writes(
    tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "audit"
    log = AuditLog(folder, clock, file_bytes=500)
    listed = audit.older_files

    def listed_before_many_are_written(place: Path) -> list[Path]:
        monkeypatch.setattr(audit, "older_files", listed)
        found = listed(place)
        fill(log, 20)
        return found

    monkeypatch.setattr(audit, "older_files", listed_before_many_are_written)
    found = verify(folder)
    assert (found.entries, found.fault) == (20, None)


def test_the_log_of_the_settings_is_durable_where_they_say_so(
    tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    # Each entry, and the folder in which the file is new.
    for durable, count in ((False, 0), (True, 3)):
        log = open_audit(Access(folder=tmp_path / str(durable), audit_durable=durable, audit_file_mb=1), clock)
        fill(log, 2)
        assert len(synced) == count


def test_the_last_entries_are_found_by_what_they_say(log: AuditLog) -> None:
    chosen = random.Random(3)
    for number in range(30):
        log.append(f"a.{number}", chosen.choice(["ada", "bob"]))
    written = [json.loads(line) for line in lines(log)]
    expected = [e["action"] for e in written if e["who"] == "bob"][-4:]
    assert [e.action for e in last_entries(log.folder, 4, lambda e: e.who == "bob")] == expected


def test_the_last_entries_are_found_wherever_a_line_lies_among_blocks(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [json.loads(line)["what"]["target"] for line in fill(log, 10)]
    for block in (1, 7, 100, 201, 5000):
        monkeypatch.setattr("nt_ray.access.audit_reading._BLOCK", block)
        for count in (1, 3, 10, 50):
            assert [e.what["target"] for e in last_entries(log.folder, count)] == written[-count:]


def test_a_folder_that_is_none_is_said(tmp_path: Path, clock: Any) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        verify(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises((StorageError, BadInputError)):
        AuditLog(tmp_path / "file", clock)
