"""What a tool is: a function of a call and its arguments, with all that a client and a gatekeeper have to know of it.

Name, description, input and output are the function's own: its name, its docstring, its annotations.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_type_hints

from mcp_types import Tool as Listed
from mcp_types import ToolAnnotations
from pydantic import ValidationError

from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.problems import ArgumentsError, NotAvailableError
from deployments.gateway.mcp.schema import Input, Output
from nt_ray.access.roles import Scope

Run = Callable[[Call, Any], Output]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool."""

    name: str
    description: str
    category: Category
    scope: Scope
    input: type[Input]
    output: type[Output] | None
    example: Mapping[str, Any] = field(default_factory=dict)
    changes: bool = False
    """Whether anything is different afterwards."""
    destructive: bool = False
    """Whether it may do what cannot be taken back, such as trade."""
    repeatable: bool = True
    """Whether the same call twice does no more than once."""
    area: str = ""
    """What the platform would have to have for it; empty where it is there."""
    run: Run

    def read(self, arguments: Mapping[str, Any]) -> Input:
        """Read arguments strictly, as the JSON that they came as."""
        try:
            return self.input.model_validate_json(json.dumps(arguments))
        except ValidationError as error:
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
                "example": dict(self.example),
            },
        )


def tool(
    category: Category,
    scope: Scope,
    example: Mapping[str, Any] | None = None,
    *,
    changes: bool = False,
    destructive: bool = False,
    repeatable: bool = True,
) -> Callable[[Run], Tool]:
    """Make a tool of a function `(call, arguments) -> answer`."""

    def wrap(run: Run) -> Tool:
        hints = get_type_hints(run)
        return Tool(
            name=run.__name__,
            description=" ".join(inspect.cleandoc(run.__doc__ or "").split()),
            category=category,
            scope=scope,
            input=next(hints[name] for name in hints if name not in ("call", "return")),
            output=hints["return"],
            example=example or {},
            changes=changes,
            destructive=destructive,
            repeatable=repeatable,
            run=run,
        )

    return wrap


def not_available(
    name: str, description: str, category: Category, scope: Scope, area: str, takes: type[Input],
    example: Mapping[str, Any], *, changes: bool = False, destructive: bool = False,
) -> Tool:  # fmt: skip
    """Name a tool whose area the platform does not have; every call is refused with `NotAvailableError`."""

    def refuse(_: Call, __: Input) -> Output:
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
