"""Tools of this process open no account that another process trades."""

from pathlib import Path

import anyio
import pytest

from deployments.gateway.mcp.local_backend import LocalAccounts
from nt_ray.config import Settings
from nt_ray.storage.opening import open_journal
from nt_ray.trader.journal_reading import HeldError


def test_an_account_that_another_process_trades_is_left_to_it(settings: Settings, tmp_path: Path) -> None:
    own = settings.model_copy(update={"state": tmp_path})
    writer = open_journal(tmp_path / "paper.sqlite")
    writer.open_epoch()
    accounts = LocalAccounts(own)
    with pytest.raises(HeldError, match="--take-over"):
        anyio.run(accounts.account("paper").overview)
    writer.confirm()
    writer.close()
    assert anyio.run(accounts.account("paper").overview).name == "paper"
    accounts.close()
