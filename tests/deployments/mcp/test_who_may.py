"""Every tool for every role, every category's limit, and what the audit log keeps of calls."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deployments.gateway.mcp import calling
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.categories import PER_MINUTE, Category
from deployments.gateway.mcp.limits import CallLimits
from nt_ray.access.audit import ACTIVE, AuditLog
from nt_ray.access.buckets import LocalBuckets
from nt_ray.access.roles import GRANTS, Role
from nt_ray.errors import BadInputError


class ReachedError(BadInputError):
    code = "reached"

    def __init__(self, *_: object) -> None:
        super().__init__("The tool was reached.")


def reached(*_: object) -> Any:
    raise ReachedError


@pytest.fixture
def inert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools whose every call that is let through says so, and does nothing."""
    monkeypatch.setattr(calling, "TOOLS", {name: replace(tool, run=reached) for name, tool in TOOLS.items()})


@pytest.mark.usefixtures("inert")
@pytest.mark.parametrize("role", list(Role))
def test_every_tool_is_reached_by_the_roles_that_its_scope_is_granted_to_and_no_other(desk: Any, role: Role) -> None:
    asked = [(name, tool.example) for name, tool in TOOLS.items()]
    for tool, found in zip(TOOLS.values(), desk.acting(role).problems(asked), strict=True):
        assert found["code"] == ("reached" if tool.scope in GRANTS[role] else "forbidden"), tool.name


@pytest.mark.usefixtures("inert")
def test_every_tool_for_an_account_is_closed_to_who_has_another_account(desk: Any) -> None:
    asked = [(name, {**tool.example, "account": "paper"}) for name, tool in TOOLS.items()
             if "account" in tool.input.model_fields]  # fmt: skip
    assert len(asked) == 6
    other = desk.acting(Role.ADMIN, accounts=frozenset({"elsewhere"}))
    assert {found["code"] for found in other.problems(asked)} == {"forbidden"}
    assert {found["code"] for found in desk.problems(asked)} == {"reached"}


@pytest.mark.usefixtures("inert")
@pytest.mark.parametrize("category", list(Category))
def test_every_category_has_a_limit_of_its_own(desk: Any, category: Category) -> None:
    limited = replace(desk, limits=CallLimits(LocalBuckets(lambda: 0.0), {**PER_MINUTE, category: 1}))
    own = [(name, tool.example) for name, tool in TOOLS.items() if tool.category is category][:2]
    others = [(name, tool.example) for name, tool in TOOLS.items() if tool.category is not category][:1]
    found = [problem["code"] for problem in limited.problems([*own, own[0], *others])]
    assert found == ["reached", *["rate_limited"] * len(own), "reached"]


def test_several_servers_count_in_the_same_buckets(desk: Any) -> None:
    class Elsewhere:
        """Buckets that are asked in a thread."""

        def __init__(self) -> None:
            self.own = LocalBuckets(lambda: 0.0)

        def take(self, *asked: Any) -> Any:
            return self.own.take(*asked)

    buckets, allowed = Elsewhere(), {**PER_MINUTE, Category.SYSTEM: 2}
    one, two = (replace(desk, limits=CallLimits(buckets, allowed)) for _ in range(2))
    assert [server.call("ping").is_error for server in (one, two, one, two)] == [False, False, True, True]


def entries(folder: Path) -> list[dict[str, Any]]:
    path = folder / ACTIVE
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def test_a_call_that_changes_something_is_written_down_with_its_outcome_and_no_secret(
    desk: Any, tmp_path: Path
) -> None:
    audited = replace(desk, audit=AuditLog(tmp_path, lambda: datetime.now(UTC)))
    order = {"account": "paper", "client_order_id": "written", "symbol": "AAPL", "side": "buy", "qty": 1,
             "type": "limit", "limit_price": "50", "time_in_force": "day"}  # fmt: skip
    asked = [
        ("ping", {}),
        ("execute_trade", order),
        ("execute_trade", {**order, "colour": "hush-hush"}),
        ("execute_trade", {**order, "secret": "hush-hush"}),
    ]
    audited.calls(asked)
    audited.acting(Role.READ_ONLY, id="bob").calls([("execute_trade", {**order, "client_order_id": "bobs"})])
    text = (tmp_path / ACTIVE).read_text(encoding="utf-8")
    assert "hush" not in text
    told = entries(tmp_path)
    assert [entry["action"] for entry in told] == ["mcp.call"] * 4
    assert [(e["what"]["target"], e["what"]["outcome"], e["who"]) for e in told] == [
        ("execute_trade", "ok", "ann"), ("execute_trade", "arguments", "ann"), ("execute_trade", "arguments", "ann"),
        ("execute_trade", "forbidden", "bob"),
    ]  # fmt: skip
    first = told[0]["what"]["details"]
    assert (first["key_id"], first["account"], first["client_order_id"]) == ("test", "paper", "written")
    assert len({entry["what"]["details"]["arguments"] for entry in told}) == 4


def test_a_change_that_cannot_be_written_down_is_answered_with_an_error(desk: Any) -> None:
    class Full:
        def append(self, *_: object, **__: object) -> object:
            raise BadInputError("The disk is full. Free it.")

    assert replace(desk, audit=Full()).problem("execute_trade", TOOLS["execute_trade"].example)["code"] == "bad_input"
    assert replace(desk, audit=Full()).answer("ping")
