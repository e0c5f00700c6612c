"""What a tool and a route of the gateway have in common: the model that both take.

A tool that does what a route does takes a subclass of the route's model, so that a field, a bound or a choice that is
changed there is changed here. A path's parameters are fields of their own, annotated as the route's. What the tool
settles by itself has a fixed value and is not listed (`Settled`).
"""

from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema as Settled

__all__ = ["JOBS", "KEY", "KIND", "OfJob", "Settled", "Twin", "part_of"]

JOBS: Final = "POST /api/v1/jobs"
KEY: Final = frozenset({"job_key"})
KIND: Final = frozenset({"kind"})

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Twin:
    """Route of the gateway that does what a tool does."""

    route: str
    """Method and path, as the document of the API names them."""
    kind: str = ""
    """Kind of job, where the route takes several."""
    within: str = ""
    """Argument that holds as many bodies as are sent; empty where the body's fields are the arguments."""
    more: frozenset[str] = frozenset()
    """Arguments that the route takes elsewhere or not at all."""
    settled: frozenset[str] = frozenset()
    """Fields of the body that the tool settles by itself."""
    answers: bool = False
    """Whether the answer holds all that the route's does."""


class OfJob(BaseModel):
    """Work that is done as a job; the API has the key in a header."""

    job_key: str = Field(
        "",
        max_length=128,
        pattern=r"^[A-Za-z0-9._:-]*$",
        description="Yours: the job goes on if the call is lost, and the same call finds it. Else it is cancelled.",
    )


def part_of(asked: BaseModel, model: type[M], **settled: Any) -> M:
    """Arguments as the route's model, without what only the tool has; `settled` takes the place of what is there."""
    return model.model_validate({name: getattr(asked, name) for name in model.model_fields} | settled)
