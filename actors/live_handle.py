"""A live account by its name: calls reach its actor wherever it lives now.

An actor that dies is started again by Ray, and one that Ray gave up (its node is gone and its journal lay there, or
somebody killed it for good) by whoever calls `actors.live_account.start`. Either way a call is made again under the
same ids until it is answered, so it is for calls alone that are safe to repeat: all of a live account's are.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import ray
from ray.actor import ActorHandle
from ray.exceptions import ActorDiedError, ActorUnavailableError, ActorUnschedulableError, GetTimeoutError

from actors.calls import PATIENCE_S, PAUSE_S
from actors.live_account import find
from nt_ray.errors import ServiceError
from nt_ray.trader.parcels import pack_orders, unpack_reports

RECENT_S: Final = 60.0
"""Seconds for which an account that was there may be started again by somebody."""


class AccountGoneError(ServiceError):
    """A live account that does not answer."""

    code = "account_gone"

    def __init__(self, account: str, patience_s: float) -> None:
        super().__init__(
            f"Account {account} did not come back in {patience_s:g} s; what it did is in its journal. Start it with "
            "actors.live_account.start on a node that reaches the journal, then call again under the same ids."
        )


class AccountAwayError(ServiceError):
    """A live account that is away at this moment."""

    code = "account_away"

    def __init__(self, account: str) -> None:
        super().__init__(
            f"Account {account} is away: it is being started again, or nobody has started it. Ask again in a moment."
        )


class LiveHandle:
    """Calls to one live account."""

    def __init__(self, account: str, patience_s: float = PATIENCE_S) -> None:
        self.account = account
        self._patience_s = patience_s
        self._actor: ActorHandle[Any] | None = None
        self._met_at = -RECENT_S

    def knows(self) -> bool:
        """Whether an actor bears the account's name, or did a moment ago; one that Ray is restarting bears it."""
        now = time.monotonic()
        if self._found() is not None:
            self._met_at = now
        return now - self._met_at < RECENT_S

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of the account and return its answer; `AccountGoneError` where it does not come in time."""
        return self.begin(method, *arguments)()

    async def ask(self, method: str, *arguments: object) -> Any:
        """Call a method from an event loop, which goes on meanwhile."""
        ref = self._sent(method, arguments)
        if ref is not None:
            try:
                async with asyncio.timeout(self._patience_s):
                    return _unpacked(method, arguments, await ref)
            except (ActorUnavailableError, TimeoutError):
                pass
            except (ActorDiedError, ActorUnschedulableError):
                self._actor = None
        # It is away: a thread waits until it is back.
        return await asyncio.to_thread(self._answer, None, method, arguments)

    async def glance(self, method: str, *arguments: object) -> Any:
        """Call a method once, from an event loop; `AccountAwayError` where the account is away."""
        ref = self._sent(method, arguments)
        if ref is None:
            raise AccountAwayError(self.account)
        try:
            return _unpacked(method, arguments, await ref)
        except ActorUnavailableError as error:
            raise AccountAwayError(self.account) from error
        except (ActorDiedError, ActorUnschedulableError) as error:
            self._actor = None
            raise AccountAwayError(self.account) from error

    def begin(self, method: str, *arguments: object) -> Callable[[], Any]:
        """Call a method and go on; what is returned waits for the answer."""
        ref = self._sent(method, arguments)
        return lambda: self._answer(ref, method, arguments)

    def _answer(self, ref: "ray.ObjectRef[Any] | None", method: str, arguments: tuple[object, ...]) -> Any:
        deadline = time.monotonic() + self._patience_s
        while True:
            why: Exception | None = None
            try:
                if ref is not None:
                    return _unpacked(method, arguments, ray.get(ref, timeout=self._patience_s))
            except (ActorUnavailableError, GetTimeoutError) as error:
                why = error
            except (ActorDiedError, ActorUnschedulableError) as error:
                # The name leads to the actor that lives, a handle to the one that it was made for.
                why, self._actor = error, None
            if time.monotonic() >= deadline:
                raise AccountGoneError(self.account, self._patience_s) from why
            time.sleep(PAUSE_S)
            ref = self._sent(method, arguments)

    def _sent(self, method: str, arguments: tuple[Any, ...]) -> "ray.ObjectRef[Any] | None":
        """Send a call; None where nobody bears the name."""
        actor = self._found()
        if actor is None:
            return None
        if method == "submit":
            method, arguments = "submit_parcel", (pack_orders(*arguments),)
        found: ray.ObjectRef[Any] = getattr(actor, method).remote(*arguments)
        return found

    def _found(self) -> "ActorHandle[Any] | None":
        """Find the actor that bears the name, once; None where there is none."""
        if self._actor is None:
            try:
                self._actor = find(self.account)
            except ValueError:
                return None
        return self._actor


def _unpacked(method: str, arguments: tuple[Any, ...], answer: Any) -> Any:
    """Answer of a call as its method gives it: orders and their reports travel in parcels."""
    return unpack_reports(answer, *arguments) if method == "submit" else answer
