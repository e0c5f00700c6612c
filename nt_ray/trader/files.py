"""Names of the files in a run's folder."""

from typing import Final

SETTINGS: Final = "settings.toml"
TRADES: Final = "trades.parquet"
TRADES_CSV: Final = "trades.csv"
FILLS: Final = "fills.parquet"
FILLS_CSV: Final = "fills.csv"
ORDERS: Final = "orders.parquet"
MARKET: Final = "market.toml"
EQUITY: Final = "equity.parquet"
AGENTS: Final = "agents.parquet"
SUMMARY: Final = "summary.json"
TEAR_SHEET: Final = "tear-sheet.html"
PICTURE: Final = "tear-sheet.png"
BARS: Final = "bars.npz"
LATEST: Final = "latest"
"""Link beside the run folders that points at the newest finished one."""
