"""Where Alpaca is and with which keys: hosts and secrets, checked before anything is sent.

Live hosts need an explicit `live`. Keys travel in the clear only on loopback.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from nt_ray.errors import ConfigError

PAPER: Final = "https://paper-api.alpaca.markets"
LIVE: Final = "https://api.alpaca.markets"
DATA: Final = "https://data.alpaca.markets"


@dataclass(frozen=True, slots=True)
class AlpacaAccess:
    """Hosts and keys of one account. `live` allows a host that trades real money."""

    key: SecretStr
    secret: SecretStr
    trading: str = PAPER
    data: str = DATA
    live: bool = False

    def __post_init__(self) -> None:
        for name, value in (("key", self.key), ("secret", self.secret)):
            text = value.get_secret_value()
            if not text or not text.isascii() or not text.isprintable() or text != text.strip():
                raise ConfigError(f"The Alpaca {name} is empty or not plain text. Give it as the dashboard shows it.")
        for url in (self.trading, self.data):
            _check_host(url)
        if is_live(self.trading) and not self.live:
            raise ConfigError(f"{self.trading} trades real money and live is not allowed. Allow live, or use {PAPER}.")

    @property
    def stream(self) -> str:
        """Address of the stream of order updates."""
        return "ws" + self.trading.removeprefix("http") + "/stream"

    def headers(self) -> dict[str, str]:
        """Headers that carry the keys."""
        return {
            "APCA-API-KEY-ID": self.key.get_secret_value(),
            "APCA-API-SECRET-KEY": self.secret.get_secret_value(),
        }


def is_live(url: str) -> bool:
    """Whether orders at a host are paid for with real money."""
    return urlsplit(url).hostname == urlsplit(LIVE).hostname


def _check_host(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise ConfigError(f"{url!r} is no host of Alpaca. Give one like {PAPER}, without a path.")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ConfigError(f"{url} would carry the keys in the clear. Use https; http serves loopback alone.")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
