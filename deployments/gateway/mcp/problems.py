"""What a call is refused with: typed errors, and the one shape in which a client reads any of them."""

from typing import Any, ClassVar

from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel, ValidationError

from deployments.gateway.mcp.categories import Category
from nt_ray.errors import BadInputError, NeuralTraderError, ServiceError

MOST_COMPLAINTS = 5


class Problem(BaseModel):
    """Why a call failed; `code` is stable, `message` is for people."""

    code: str
    message: str
    status: int
    """The HTTP status that the same refusal has elsewhere."""


class NotAvailableError(ServiceError):
    """A tool whose area the platform does not have."""

    code: ClassVar[str] = "not_available"
    status: int = 501

    def __init__(self, tool: str, area: str) -> None:
        super().__init__(f"{tool} belongs to {area}, which this platform does not have. nt://tools lists what it has.")
        self.area = area


class ArgumentsError(BadInputError):
    """Arguments that do not fit a tool's schema."""

    code: ClassVar[str] = "arguments"

    def __init__(self, tool: str, error: ValidationError) -> None:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        said = [f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in found]
        more = f" and {len(said) - MOST_COMPLAINTS} more" if len(said) > MOST_COMPLAINTS else ""
        super().__init__(f"{tool}: {'; '.join(said[:MOST_COMPLAINTS])}{more}. See the tool's input schema.")


class TooManyCallsError(NeuralTraderError):
    """More calls of a category than its limit."""

    code: ClassVar[str] = "rate_limited"
    status: int = 429

    def __init__(self, category: Category, per_minute: int, wait_s: float) -> None:
        super().__init__(
            f"More than {per_minute} calls of category {category.value} in a minute. Call again in {wait_s:.1f} s."
        )
        self.wait_s = wait_s


class StoppedError(NeuralTraderError):
    """A call whose caller no longer waits."""

    code: ClassVar[str] = "cancelled"
    status: int = 499

    def __init__(self) -> None:
        super().__init__("The call was cancelled. Call again if it is still wanted.")


class ProblemError(NeuralTraderError):
    """A problem that arose elsewhere and is known by its words alone."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def problem_of(error: NeuralTraderError) -> Problem:
    """Say an error in the one shape."""
    if isinstance(error, ProblemError):
        return error.problem
    return Problem(code=error.code, message=str(error), status=error.status)


INTERNAL = Problem(code="internal", message="The server failed on this call. Its log says why.", status=500)


def refused(problem: Problem) -> CallToolResult:
    """Answer of a call that failed."""
    told: dict[str, Any] = {"error": problem.model_dump(mode="json")}
    text = TextContent(type="text", text=f"{problem.code}: {problem.message}")
    return CallToolResult(content=[text], structured_content=told, is_error=True)
