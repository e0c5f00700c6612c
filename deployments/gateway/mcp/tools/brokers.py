"""Tools about venues: what kinds there are, and whether a configuration of one could be used."""

from typing import Any, Literal

from pydantic import Field, ValidationError

from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.schema import Input, Nothing, Output
from deployments.gateway.mcp.tool import tool
from nt_ray.access.roles import Scope
from nt_ray.brokers.alpaca.access import PAPER, is_live
from nt_ray.config.venues import Venue


class BrokerType(Output):
    """One kind of venue."""

    kind: str
    description: str
    keys: tuple[str, ...] = Field(description="Keys of its table [brokers.NAME].")
    in_use: tuple[str, ...] = Field(description="Enabled brokers of this kind.")


class BrokerTypes(Output):
    """Kinds of venues."""

    types: tuple[BrokerType, ...]


KINDS: dict[Literal["simulated", "alpaca"], str] = {
    "simulated": "An exchange that lives within a run and trades its bars.",
    "alpaca": "Alpaca's Trading API, for paper or real money.",
}


@tool(Category.BROKER, Scope.SYSTEM_READ)
def list_broker_types(call: Call, asked: Nothing) -> BrokerTypes:
    """List the kinds of venues that the platform trades at, and which brokers are enabled."""
    del asked
    brokers = call.backend.settings.brokers
    return BrokerTypes(
        types=tuple(
            BrokerType(
                kind=kind,
                description=description,
                keys=tuple(Venue.model_fields),
                in_use=tuple(name for name in brokers.enabled if brokers.table(name).kind == kind),
            )
            for kind, description in KINDS.items()
        )
    )


class BrokerConfig(Input):
    """A table as it would stand under [brokers.NAME]; keys and secrets are not asked for and not taken."""

    config: dict[str, str | int | float | bool] = Field(max_length=32)


class Verdict(Output):
    """Whether the table could be used."""

    valid: bool
    problems: tuple[str, ...]
    money: Literal["simulated", "paper", "real"] | None


@tool(Category.BROKER, Scope.SYSTEM_READ, {"config": {"kind": "alpaca"}})
def validate_broker_config(call: Call, asked: BrokerConfig) -> Verdict:
    """Check a broker's table against the settings, without secrets; nothing is connected to or changed."""
    del call
    given: dict[str, Any] = dict(asked.config)
    secret = [f"{name}: leave it out here; it belongs into the environment" for name in ("key", "secret")
              if given.pop(name, None) is not None]  # fmt: skip
    try:
        venue = Venue.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        said = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found]
        return Verdict(valid=False, problems=(*secret, *said), money=None)
    money: Literal["simulated", "paper", "real"] = "simulated"
    if venue.kind == "alpaca":
        money = "real" if is_live(venue.url or PAPER) else "paper"
    return Verdict(valid=not secret, problems=tuple(secret), money=money)


TOOLS = (list_broker_types, validate_broker_config)
