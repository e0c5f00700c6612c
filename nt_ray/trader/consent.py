"""Consent to real money: it takes two, `live = true` in the settings and `live` in the call, and each account is asked.

In the call it is `--live` on the command line and the argument `live` where Serve builds the gateway. It knows hosts
alone and asks none of them.
"""

from typing import Final

from nt_ray.config import Settings
from nt_ray.errors import ConfigError
from nt_ray.trader.connection import is_real_money

IN_SETTINGS: Final = "live = true in the settings"
IN_CALL: Final = "--live"


class ConsentError(ConfigError):
    """Real money without both consents."""

    code = "consent"

    def __init__(self, account: str, missing: list[str]) -> None:
        super().__init__(
            f"{account} trades real money, and its consent lacks {' and '.join(missing)}. Give {IN_SETTINGS} and "
            f"{IN_CALL} with the command (`live: true` among the arguments of serve.yaml), or name an account on paper."
        )


def missing_consents(settings: Settings, *accounts: str, live: bool) -> list[str]:
    """Say which consents accounts still need; none where their venues trade on paper."""
    if not any(is_real_money(settings, account) for account in accounts):
        return []
    return [what for what, given in ((IN_SETTINGS, settings.live), (IN_CALL, live)) if not given]


def check_consent(settings: Settings, account: str, *, live: bool) -> None:
    """Raise `ConsentError` where an account would trade real money without both consents."""
    missing = missing_consents(settings, account, live=live)
    if missing:
        raise ConsentError(account, missing)
