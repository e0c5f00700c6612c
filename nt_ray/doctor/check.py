"""What the doctor says about one thing."""

from dataclasses import asdict, dataclass
from enum import StrEnum

_WIDTH = 4


class Verdict(StrEnum):
    """How it stands: fine, worth a look, or a run would fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, the verdict, what was found, and the remedy where one is needed."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""

    def line(self) -> str:
        """One line for a person."""
        text = f"{self.verdict:<{_WIDTH}}  {self.name}: {self.found}"
        return f"{text} {self.remedy}" if self.remedy else text

    def as_json(self) -> dict[str, str]:
        """Return the finding as JSON values."""
        return {key: str(value) for key, value in asdict(self).items()}


def ok(name: str, found: str) -> Check:
    """Make a finding that is fine."""
    return Check(name, Verdict.OK, found)


def warn(name: str, found: str, remedy: str) -> Check:
    """Make a finding that is worth a look."""
    return Check(name, Verdict.WARN, found, remedy)


def fail(name: str, found: str, remedy: str) -> Check:
    """Make a finding with which a run would fail."""
    return Check(name, Verdict.FAIL, found, remedy)
