"""A bar panel as one file: what a process needs to replay the same bars again, without pickling.

The file is NumPy's `.npz` with the arrays as they are and the instruments as JSON; it is written under another name and
renamed, so it is whole or not there.
"""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import BarPanel, Instrument


def save_panel(panel: BarPanel, path: Path) -> None:
    """Write a panel; an existing file is replaced."""
    facts = {
        "name": panel.name,
        "periods_per_year": panel.periods_per_year,
        "fields": list(panel.fields),
        "instruments": [
            {
                "symbol": i.symbol,
                "price_increment": str(i.price_increment),
                "quantity_increment": str(i.quantity_increment),
                "currency": i.currency,
                "close_only": i.close_only,
            }
            for i in panel.instruments
        ],
    }
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(file, timestamps=panel.timestamps, values=panel.values, facts=np.array(json.dumps(facts)))
    part.replace(path)


def open_panel(path: Path) -> BarPanel:
    """Read a panel that `save_panel` wrote."""
    try:
        with np.load(path, allow_pickle=False) as file:
            timestamps, values = file["timestamps"], file["values"]
            facts = json.loads(str(file["facts"]))
    except (OSError, ValueError, KeyError) as error:
        raise MarketDataError(f"{path} is no saved panel ({error}). Give a file written by a run.") from error
    instruments = tuple(
        Instrument(
            i["symbol"],
            Decimal(i["price_increment"]),
            Decimal(i["quantity_increment"]),
            i["currency"],
            i["close_only"],
        )
        for i in facts["instruments"]
    )
    fields = tuple(facts.get("fields", ()))
    return BarPanel(instruments, timestamps, values, facts["periods_per_year"], facts["name"], fields)
