"""A live account by its name: calls reach its actor wherever it lives now.

An actor that dies is started again by Ray, and one that Ray gave up (its node is gone and its journal lay there, or
somebody killed it for good) by whoever calls `actors.live_account.start`. Either way a call is made again under the
same ids until it is answered, so it is for calls alone that are safe to repeat: all of a live account's are.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import ActorDiedError, ActorUnavailableError, ActorUnschedulableError, GetTimeoutError

from actors.calls import PATIENCE_S, PAUSE_S
from actors.live_account import find
from nt_ray.errors import ServiceError


class AccountGoneError(ServiceError):
    """A live account that does not answer."""

    code = "account_gone"

    def __init__(self, account: str, patience_s: float) -> None:
        super().__init__(
            f"Account {account} did not come back in {patience_s:g} s; what it did is in its journal. Start it with "
            "actors.live_account.start on a node that reaches the journal, then call again under the same ids."
        )


class LiveHandle:
    """Calls to one live account."""

    def __init__(self, account: str, patience_s: float = PATIENCE_S) -> None:
        self.account = account
        self._patience_s = patience_s
        self._actor: ActorHandle[Any] | None = None

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of the account and return its answer; `AccountGoneError` where it does not come in time."""
        return self.begin(method, *arguments)()

    async def ask(self, method: str, *arguments: object) -> Any:
        """Call a method from an event loop, which goes on meanwhile."""
        ref = self._sent(method, arguments)
        if ref is not None:
            try:
                async with asyncio.timeout(self._patience_s):
                    return await ref
            except (ActorUnavailableError, TimeoutError):
                pass
            except (ActorDiedError, ActorUnschedulableError):
                self._actor = None
        # It is away: a thread waits until it is back.
        return await asyncio.to_thread(self._answer, None, method, arguments)

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
                    return ray.get(ref, timeout=self._patience_s)
            except (ActorUnavailableError, GetTimeoutError) as error:
                why = error
            except (ActorDiedError, ActorUnschedulableError) as error:
                # The name leads to the actor that lives, a handle to the one that it was made for.
                why, self._actor = error, None
            if time.monotonic() >= deadline:
                raise AccountGoneError(self.account, self._patience_s) from why
            time.sleep(PAUSE_S)
            ref = self._sent(method, arguments)

    def _sent(self, method: str, arguments: tuple[object, ...]) -> "ray.ObjectRef[Any] | None":
        """Send a call; None where nobody bears the name."""
        if self._actor is None:
            try:
                self._actor = find(self.account)
            except ValueError:
                return None
        found: ray.ObjectRef[Any] = getattr(self._actor, method).remote(*arguments)
        return found
