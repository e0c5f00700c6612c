"""Which orders a list of Alpaca's is to hold: its query, as the account is asked for it.

Bounds by time and by order exclude each other, as at Alpaca. Of options there are no orders here.
"""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, Field, StringConstraints

from deployments.gateway.alpaca import render
from deployments.gateway.alpaca.moments import Moment
from deployments.gateway.alpaca.refusals import InvalidError
from nt_ray.market.bars import AssetClass
from nt_ray.trader.live_readings import OrderQuery
from nt_ray.trading.orders import Side

MOST: Final = 500

_CLASS: Final = f"({'|'.join(render.ASSET_CLASSES)})"
_Classes: TypeAlias = Annotated[str, StringConstraints(max_length=64, pattern=f"^{_CLASS}(,{_CLASS})*$")]
_Marker: TypeAlias = Annotated[str | None, Field(max_length=64)]


class Listing(BaseModel):
    """The query of a list of orders."""

    status: Literal["open", "closed", "all"] = "open"
    limit: int = Field(50, ge=1, le=MOST)
    after: Moment | None = None
    until: Moment | None = None
    direction: Literal["asc", "desc"] = "desc"
    nested: bool = False
    symbols: str = Field("", max_length=4096, description="Between commas.")
    side: Literal["buy", "sell"] | None = None
    asset_class: list[_Classes] = Field([], max_length=len(render.ASSET_CLASSES), description="Also between commas.")
    before_order_id: _Marker = Field(None, description="Orders sent before this one; not with another bound.")
    after_order_id: _Marker = Field(None, description="Orders sent after this one; not with another bound.")

    def classes(self) -> frozenset[AssetClass]:
        """Classes that are asked for; all where none is named."""
        named = [render.ASSET_CLASSES[word] for words in self.asset_class or ["all"] for word in words.split(",")]
        return frozenset[AssetClass]().union(*named)

    def check(self) -> None:
        """Raise `InvalidError` where bounds exclude each other."""
        by_order = [mark for mark in (self.before_order_id, self.after_order_id) if mark is not None]
        if len(by_order) > 1 or (by_order and (self.after or self.until)):
            raise InvalidError("before_order_id, after_order_id, and after with until exclude each other")

    def query(self, before: str, after: str) -> OrderQuery:
        """Return the question to an account; the orders that bound it are given by their client ids."""
        return OrderQuery(
            status=self.status,
            symbols=frozenset(symbol for symbol in self.symbols.split(",") if symbol),
            side=None if self.side is None else Side(self.side),
            after=self.after,
            until=self.until,
            descending=self.direction == "desc",
            limit=self.limit,
            nested=self.nested,
            asset_classes=self.classes(),
            before_order=before,
            after_order=after,
        )
