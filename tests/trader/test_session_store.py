"""The file of live sessions: what cannot be read or written is named, and ends no session."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nt_ray.config import load_settings
from nt_ray.errors import StorageError
from nt_ray.trader.live_session import Condition, LiveSession
from nt_ray.trader.session_store import Phase, SessionPlan, SessionStore

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)


def test_a_file_that_cannot_be_used_is_named_in_the_status_of_its_session(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "sessions.sqlite")
    kept = store.begin(SessionPlan("paper", "momentum", ("KO",)), "ann", "drill", NOW)
    account: Any = None
    session = LiveSession(kept, load_settings(None, {"state": str(tmp_path)}, environ={}), account, store)
    store.close()
    told = session.step()
    assert (told.condition, told.session) == (Condition.FAILED, kept)
    assert "sessions.sqlite cannot be used" in told.sentence
    for use in (
        lambda: store.sessions(),
        lambda: store.kin("paper"),
        lambda: store.newest(kept.id),
        lambda: store.turn(kept.id, Phase.ENDED, NOW),
        lambda: store.check(SessionPlan("paper", "pairs", ("KO",))),
    ):
        with pytest.raises(StorageError, match=r"sessions\.sqlite cannot be used"):
            use()
