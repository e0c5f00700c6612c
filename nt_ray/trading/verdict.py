"""A venue's no in its own words, as it is carried through the journal to whoever asked. It knows no venue."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a venue answered: the status and the code of its protocol, and its message."""

    status: int
    code: int
    message: str
