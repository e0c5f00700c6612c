"""What goes wrong in an account's process arrives as its own error, without that process' traceback."""

from decimal import Decimal

import pytest
from ray.exceptions import GetTimeoutError, RayTaskError

from actors.live_desk import RayLiveAccounts
from actors.live_handle import LiveHandle
from nt_ray.errors import ServiceError, StorageError
from nt_ray.trading.orders import OrderRequest, Side


def test_the_errors_of_an_account_arrive_as_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    own = StorageError("The disk is full. Free it.")

    def fails() -> None:
        raise RayTaskError("find", "a traceback", own).as_instanceof_cause()

    monkeypatch.setattr(LiveHandle, "begin", lambda *_: fails)
    accounts = RayLiveAccounts(["east"])
    for call in (
        lambda: accounts.find("o"),
        lambda: accounts.reach("east"),
        lambda: accounts.submit("east", OrderRequest("o", "KO", Side.BUY, Decimal(1), "t")),
    ):
        with pytest.raises(StorageError) as caught:
            call()
        assert caught.value is own


def test_an_account_that_ray_does_not_find_in_time_cannot_be_asked_now(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(_: str) -> None:
        raise GetTimeoutError("the head node is silent")

    monkeypatch.setattr("actors.live_handle.find", late)
    with pytest.raises(ServiceError, match="east cannot be asked now"):
        RayLiveAccounts(["east"]).find("o")
