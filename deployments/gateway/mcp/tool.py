"""What a tool is: a function of a call and its arguments, with all that a client and a gatekeeper have to know of it.

Name, description, input and output are the function's own: its name, its docstring, its annotations. A tool whose
work is heavy gives the job that does it (`job`), of a kind that the platform's API takes, and words what it has left.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_type_hints

from mcp_types import Tool as Listed
from mcp_types import ToolAnnotations
from pydantic import BaseModel, ValidationError

from deployments.gateway.mcp.call import Call, Done
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.problems import ArgumentsError, NotAvailableError
from deployments.gateway.mcp.twin import Twin
from nt_ray.access.roles import Scope
from nt_ray.trader.jobs.spec import AnySpec

Run = Callable[[Call, Any], BaseModel]
Plan = Callable[[Call, Any], AnySpec]
Finish = Callable[[Call, Any, Done], BaseModel]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool."""

    name: str
    description: str
    category: Category
    scope: Scope
    input: type[BaseModel]
    output: type[BaseModel] | None
    example: Mapping[str, Any] = field(default_factory=dict)
    changes: bool = False
    """Whether anything is different afterwards."""
    destructive: bool = False
    """Whether it may do what cannot be taken back, such as trade."""
    repeatable: bool = True
    """Whether the same call twice does no more than once."""
    area: str = ""
    """What the platform would have to have for it; empty where it is there."""
    twin: Twin | None = None
    """Route that does the same."""
    run: Callable[[Call, Any], Any]
    """Answers, or gives the job whose end `finish` words."""
    finish: Finish | None = None

    @property
    def is_done(self) -> bool:
        """Whether what it changes is done once it has begun, though its caller goes; a job is cancelled instead."""
        return self.changes and self.finish is None

    def read(self, arguments: Mapping[str, Any]) -> BaseModel:
        """Read arguments strictly, as the JSON that they came as."""
        try:
            return self.input.model_validate_json(json.dumps(arguments), strict=True)
        except ValidationError as error:
            raise ArgumentsError(self.name, error) from None

    def begin(self, call: Call, asked: BaseModel) -> Any:
        """Answer, or give the job; what the platform's API takes no such job of is wrong with the arguments."""
        try:
            return self.run(call, asked)
        except ValidationError as error:
            if self.finish is None:
                raise
            raise ArgumentsError(self.name, error) from None

    @cached_property
    def listed(self) -> Listed:
        """The tool as clients see it."""
        return Listed(
            name=self.name,
            description=self.description,
            input_schema=self.input.model_json_schema(),
            output_schema=None if self.output is None else self.output.model_json_schema(mode="serialization"),
            annotations=ToolAnnotations(
                title=self.name.replace("_", " "),
                read_only_hint=not self.changes,
                destructive_hint=self.destructive,
                idempotent_hint=self.repeatable,
                open_world_hint=self.destructive,
            ),
            _meta={
                "category": self.category.value,
                "scope": self.scope.value,
                "available": not self.area,
                "route": "" if self.twin is None else self.twin.route,
                "example": dict(self.example),
            },
        )


def tool(
    category: Category, scope: Scope, example: Mapping[str, Any] | None = None, twin: Twin | None = None, **hints: bool
) -> Callable[[Run], Tool]:
    """Make a tool of a function `(call, arguments) -> answer`; `hints`: changes, destructive, repeatable of `Tool`."""

    def wrap(run: Run) -> Tool:
        return _made(run, None, run, category, scope, example or {}, twin, hints)

    return wrap


def job(
    finish: Finish, category: Category, scope: Scope, example: Mapping[str, Any], twin: Twin, **hints: bool
) -> Callable[[Plan], Tool]:
    """Make a tool of a function `(call, arguments) -> job`, and of one that answers with what the job has left."""

    def wrap(plan: Plan) -> Tool:
        return _made(plan, finish, finish, category, scope, example, twin, hints)

    return wrap


def _made(
    run: Run | Plan, finish: Finish | None, answers: Run | Finish, category: Category, scope: Scope,
    example: Mapping[str, Any], twin: Twin | None, hints: Mapping[str, bool],
) -> Tool:  # fmt: skip
    _, takes = [kind for name, kind in get_type_hints(run).items() if name != "return"]
    return Tool(
        name=run.__name__,
        description=" ".join(inspect.cleandoc(run.__doc__ or "").split()),
        category=category,
        scope=scope,
        input=takes,
        output=get_type_hints(answers)["return"],
        example=example,
        changes=hints.get("changes", False),
        destructive=hints.get("destructive", False),
        repeatable=hints.get("repeatable", True),
        twin=twin,
        run=run,
        finish=finish,
    )


def not_available(
    name: str, description: str, category: Category, scope: Scope, area: str, takes: type[BaseModel],
    example: Mapping[str, Any], *, changes: bool = False, destructive: bool = False,
) -> Tool:  # fmt: skip
    """Name a tool whose area the platform does not have; every call is refused with `NotAvailableError`."""

    def refuse(_: Call, __: BaseModel) -> BaseModel:
        raise NotAvailableError(name, area)

    return Tool(
        name=name,
        description=f"{description} Not available: the platform has no {area}.",
        category=category,
        scope=scope,
        input=takes,
        output=None,
        example=example,
        changes=changes,
        destructive=destructive,
        area=area,
        run=refuse,
    )
