from pathlib import Path

import pytest

from nt_ray.errors import BadInputError, StorageError
from nt_ray.storage.opening import in_schema, open_journal
from nt_ray.storage.postgres_journal import PostgresJournal
from nt_ray.storage.postgres_link import Address


@pytest.mark.parametrize("form", [str, Path, lambda path: f"sqlite:///{path}"])
def test_a_path_may_be_given_in_three_forms(tmp_path: Path, form: type) -> None:
    path = tmp_path / "j.sqlite"
    journal = open_journal(form(path))
    assert path.is_file()
    assert journal.name == str(path)
    journal.close()


def test_a_relative_address_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_journal("sqlite:///j.sqlite").close()
    assert (tmp_path / "j.sqlite").is_file()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("mysql://root@host/db", "mysql://"),
        ("sqlite://j.sqlite", "names no file"),
        ("sqlite:///j.sqlite?mode=ro", "names no file"),
        ("postgresql://trader@host", "names no database"),
        ("postgresql://trader@host/db?schema=Not-this", "no usable schema"),
        ("postgresql://trader@host:many/db", "no usable port"),
    ],
)
def test_an_address_of_no_journal_is_named_with_the_remedy(where: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        open_journal(where)


def test_a_password_is_in_no_name_and_no_message() -> None:
    address = Address.parse("postgresql://trader:s3cret@db.example:5433/trading?schema=east&sslmode=require")
    assert address.name == "postgresql://trader@db.example:5433/trading?schema=east"
    assert address.url == "postgresql://trader:s3cret@db.example:5433/trading?sslmode=require"
    assert address.schema == "east"
    assert "s3cret" not in repr(address)
    for wrong in ("postgresql://trader:s3cret@host", "postgresql://trader:s3cret@host/db?schema=A"):
        with pytest.raises(BadInputError) as raised:
            open_journal(wrong)
        assert "s3cret" not in str(raised.value)


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with pytest.raises(StorageError, match=r"postgresql://trader@127.0.0.1:1/db\?schema=journal") as raised:
        PostgresJournal("postgresql://trader:s3cret@127.0.0.1:1/db", patience=0.1)
    assert "Start the server" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_each_journal_of_a_database_has_a_schema_of_its_own() -> None:
    base = "postgresql://trader:s3cret@db/trading"
    assert in_schema(base, "run_east") == f"{base}?schema=journal_run_east"
    assert in_schema(f"{base}?sslmode=require", "east") == f"{base}?sslmode=require&schema=journal_east"
    names = ["2026-01-02 sim-east", "2026-01-02 sim_east", "x" * 80 + "a", "x" * 80 + "b", "East", "east"]
    found = [Address.parse(in_schema(base, name)).schema for name in names]
    assert len(set(found)) == len(names)
    for wrong in ("journal.sqlite", "mysql://db/x", f"{base}?schema=east"):
        with pytest.raises(BadInputError, match="without a schema") as raised:
            in_schema(wrong, "east")
        assert "s3cret" not in str(raised.value)
