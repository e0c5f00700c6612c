import pytest
from pydantic import SecretStr

from nt_ray.brokers.alpaca.access import DATA, LIVE, PAPER, AlpacaAccess
from nt_ray.errors import ConfigError

KEY, SECRET = SecretStr("PKABC"), SecretStr("s3cr3t-value")


def test_paper_is_where_nothing_else_is_said() -> None:
    access = AlpacaAccess(KEY, SECRET)
    assert (access.trading, access.data) == (PAPER, DATA)
    assert access.stream == "wss://paper-api.alpaca.markets/stream"
    assert access.headers() == {"APCA-API-KEY-ID": "PKABC", "APCA-API-SECRET-KEY": "s3cr3t-value"}


@pytest.mark.parametrize("url", [LIVE, "https://API.alpaca.markets", "https://api.alpaca.markets:443"])
def test_real_money_needs_leave(url: str) -> None:
    with pytest.raises(ConfigError, match="trades real money"):
        AlpacaAccess(KEY, SECRET, trading=url)
    assert AlpacaAccess(KEY, SECRET, trading=url, live=True).trading == url


@pytest.mark.parametrize(
    "url", ["http://paper-api.alpaca.markets", "http://10.0.0.7:9100", "ftp://127.0.0.1", "paper", "https://x/v2", ""]
)
def test_a_host_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"in the clear|no host of Alpaca"):
        AlpacaAccess(KEY, SECRET, trading=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9100", "http://localhost:9100", "http://[::1]:9100"])
def test_loopback_needs_no_certificate(url: str) -> None:
    assert AlpacaAccess(KEY, SECRET, trading=url, data=url).stream.startswith("ws://")


@pytest.mark.parametrize("bad", ["", " key", "key\n", "schlüssel"])
def test_keys_that_cannot_be_meant_are_refused(bad: str) -> None:
    for key, secret in ((SecretStr(bad), SECRET), (KEY, SecretStr(bad))):
        with pytest.raises(ConfigError, match="empty or not plain"):
            AlpacaAccess(key, secret)


def test_secrets_are_not_shown() -> None:
    assert "s3cr3t" not in repr(AlpacaAccess(KEY, SECRET))
    assert "PKABC" not in repr(AlpacaAccess(KEY, SECRET))
