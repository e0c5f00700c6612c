"""What clients of the stream may say: closed to unknown fields, every size bounded."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from nt_ray.trader.event_stream import Channel

Symbol: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9^][A-Z0-9.^=_/-]{0,23}$")]


class Message(BaseModel):
    """Any message of a client."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Authenticate(Message):
    """Say who one is, where headers did not."""

    action: Literal["authenticate"]
    token: str = Field(min_length=1, max_length=8192, description="An access token, or an API key.", repr=False)


class Wanted(Message):
    """What is wanted of a channel."""

    symbols: list[Symbol] = Field([], max_length=1000, description="Only events of these; empty: all.")
    after: int | None = Field(None, ge=0, lt=2**63, description="Number of the last event seen; none: from now on.")


class Subscribe(Message):
    """Follow channels, beside those that are followed already; `epoch` is that of the numbers in `after`."""

    action: Literal["subscribe"]
    channels: dict[Channel, Wanted] = Field(min_length=1, max_length=len(Channel))
    epoch: str = Field("", max_length=64)


class Unsubscribe(Message):
    """Follow channels no more."""

    action: Literal["unsubscribe"]
    channels: list[Channel] = Field(min_length=1, max_length=len(Channel))


class Pong(Message):
    """Say that everything before the `ping` of this number was read."""

    action: Literal["pong"]
    number: int = Field(ge=0, lt=2**63)


Said: TypeAlias = Authenticate | Subscribe | Unsubscribe | Pong

SAID: Final[TypeAdapter[Said]] = TypeAdapter(Annotated[Said, Field(discriminator="action")])
"""Reads a message."""
