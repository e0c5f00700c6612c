"""Small CSV files that people write by hand: named columns, and every wrong cell named by its line."""

import csv
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from nt_ray.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its line, and its cells by column without the blanks around them."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return a cell that must not be empty."""
        value = self.cells.get(column, "")
        if not value:
            raise self.wrong(f"{column} is empty", "Fill it in, or take the row out")
        return value

    def number(self, column: str) -> Decimal:
        """Return the finite number in a cell, exactly."""
        value = self.text(column)
        try:
            found = Decimal(value)
        except InvalidOperation:
            found = Decimal("NaN")
        if not found.is_finite():
            raise self.wrong(f"{column} {value!r} is no number", "Write it like 12.5")
        return found

    def optional(self, column: str) -> Decimal | None:
        """Return the number in a cell, None where the cell is empty or the file lacks the column."""
        return self.number(column) if self.cells.get(column) else None

    def wrong(self, what: str, remedy: str) -> BadInputError:
        """Make the error that names this line."""
        return BadInputError(f"{self.path}, line {self.line}: {what}. {remedy}.")


def read_rows(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """Read every row of a CSV with a header; other columns, short or long rows and a file without rows are refused."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{str(path)!r} cannot be read ({error}). Give a CSV file in UTF-8.") from None
    lines = csv.reader(text.splitlines())
    header = [name.strip().lower() for name in next(lines, [])]
    _check_header(path, header, required, optional)
    rows = list(_rows(path, header, lines))
    if not rows:
        raise BadInputError(f"{str(path)!r} has a header and no row. Write one a line below it.")
    return rows


def _rows(path: Path, header: Sequence[str], lines: Iterator[list[str]]) -> Iterator[Row]:
    for line, cells in enumerate(lines, 2):
        if not any(cell.strip() for cell in cells):
            continue
        row = Row(path, line, dict(zip(header, (cell.strip() for cell in cells), strict=False)))
        if len(cells) != len(header):
            raise row.wrong(f"there are {len(cells)} cells for {len(header)} columns", "Give one a column")
        yield row


def _check_header(path: Path, header: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> None:
    known = (*required, *optional)
    missing = [name for name in required if name not in header]
    strange = [name for name in header if name not in known]
    if strange:
        near = difflib.get_close_matches(strange[0], known, n=1, cutoff=0.0)[0]
        raise BadInputError(
            f"{path}, line 1: there is no column {strange[0]!r}. Its nearest is {near!r}; known: {', '.join(known)}."
        )
    if missing or len(set(header)) != len(header):
        what = f"column {missing[0]!r} is missing" if missing else "a column stands twice"
        raise BadInputError(f"{path}, line 1: {what}. Begin the file with a header such as {','.join(required)}.")
