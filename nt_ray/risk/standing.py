"""What a venue lets an account trade at a moment: the facts that the gate takes from the venue itself.

They are no decision of ours, so they are in no journal: whoever opens the account asks for them anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Standing:
    """What is not allowed. Nothing of it: everything is.

    blocked      why the venue takes no order of the account; empty where it does.
    halted       by symbol, why it cannot be traded.
    shorting     whether the venue takes short sales at all.
    unshortable  symbols that cannot be sold short.
    """

    blocked: str = ""
    halted: Mapping[str, str] = field(default_factory=dict)
    shorting: bool = True
    unshortable: frozenset[str] = frozenset()


FREE = Standing()
"""Where the venue forbids nothing."""
