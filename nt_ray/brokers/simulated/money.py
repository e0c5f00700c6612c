"""Exact integer money: products that do not overflow, currencies, the value of a position."""

from typing import Final

from numba import int64, njit

from nt_ray.brokers.simulated.tables import BOOK_TYPE, CASH, CURRENCY, FX_ONE, TAPE_TYPE, UNIT, Book, Tape, book_njit

_HALF_WORD: Final = 1 << 31

LARGEST: Final = 2**62
"""Amounts from here on are refused: int64 would soon overflow."""


@njit(int64(int64, int64, int64), cache=True, nogil=True)
def share_of(amount: int, part: int, whole: int) -> int:
    """`amount * part / whole` towards zero, exact where the result fits; `part` >= 0, `whole` > 0, below 2**62."""
    sign = 1 if amount >= 0 else -1
    amount = abs(amount)
    result = amount // whole * part
    rest = amount % whole
    if rest < _HALF_WORD and part < _HALF_WORD:
        return sign * (result + rest * part // whole)
    # Long multiplication and division at once, a bit of `part` at a time.
    quotient, remainder = 0, 0
    for bit in range(62, -1, -1):
        quotient *= 2
        remainder *= 2
        if remainder >= whole:
            remainder -= whole
            quotient += 1
        if part >> bit & 1:
            remainder += rest
            if remainder >= whole:
                remainder -= whole
                quotient += 1
    return sign * (result + quotient)


@book_njit(int64(TAPE_TYPE, int64, int64, int64))
def converted(tape: Tape, row: int, column: int, amount: int) -> int:
    """An amount in an instrument's currency, in the account's, at the rate of this row, towards zero."""
    if tape.fx.shape[0] == 0:
        return amount
    return int(share_of(amount, tape.fx[row, tape.terms[column, CURRENCY]], FX_ONE))


@book_njit(int64(TAPE_TYPE, BOOK_TYPE, int64, int64))
def value_of(tape: Tape, book: Book, row: int, column: int) -> int:
    """Value of the position in an instrument at its mark, signed, in quanta of the account."""
    lots = book.lots[column]
    if lots == 0:
        return 0
    return int(converted(tape, row, column, lots * book.marks[column] * tape.terms[column, UNIT]))


@book_njit(int64(TAPE_TYPE, BOOK_TYPE, int64))
def mark(tape: Tape, book: Book, row: int) -> int:
    """Equity at the marks; `LARGEST` where int64 could overflow."""
    cash = book.ledger[CASH]
    equity = cash
    size = abs(float(cash))
    for c in range(book.lots.shape[0]):
        if book.lots[c] != 0:
            raw = abs(float(book.lots[c])) * float(book.marks[c]) * float(tape.terms[c, UNIT])
            if not raw < LARGEST:
                return LARGEST
            value = value_of(tape, book, row, c)
            size += abs(float(value))
            equity += value
    return equity if size < LARGEST else LARGEST
