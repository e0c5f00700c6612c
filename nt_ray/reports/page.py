"""The frame of every report: one HTML file that needs no network, now or in ten years.

The page holds its data, its style and plotly's own JavaScript; its content security policy forbids every request.
It does not know what a report shows.
"""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from nt_ray.errors import StorageError
from nt_ray.reports.formats import text
from nt_ray.reports.record import to_plain

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


def render_page(
    *,
    name: str,
    kind: str,
    facts: str,
    body: str,
    figures: Mapping[str, Any],
    links: str = "",
    note: str = "Past results do not tell future ones.",
    scripts: Sequence[str] = (),
) -> str:
    """Render one HTML document.

    `name` and `kind` are plain text; `facts`, `links`, `body` and `note` are finished HTML. `figures` are drawn into
    the places that `plot` made for them; `scripts` are assets that run after them.
    """
    title = text(name)
    code = "".join(asset(script) for script in ("page.js", *scripts))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{title} – {text(kind)}</title>
<style>{asset("tear_sheet.css")}</style>
</head>
<body>
<main>
<header><h1>{title}</h1><p>{facts}</p><nav>{links}</nav></header>
{body}
<footer>{note}</footer>
</main>
<script type="application/json" id="figures">{to_json(figures)}</script>
<script>{get_plotlyjs()}</script>
<script>{code}</script>
</body>
</html>
"""


def write_page(path: str | Path, page: str) -> Path:
    """Write a page to `path` and return it."""
    path = Path(path)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"The page {str(path)!r} cannot be written ({error.strerror}). Give a writable folder that exists."
        ) from error
    return path


def section(anchor: str, title: str, content: str) -> str:
    """Make one framed part of a page."""
    return f'<section id="{anchor}"><h2>{title}</h2>{content}</section>'


def pair(left: str, right: str = "") -> str:
    """Put two parts side by side, where there is room."""
    return f'<div class="pair">{left}{right}</div>'


def plot(name: str, figures: Mapping[str, Any]) -> str:
    """Make the place of a figure."""
    return f'<div class="figure" id="figure-{name}"></div>' if name in figures else '<p class="none">None.</p>'


def to_json(value: Any) -> str:
    """JSON that no browser can take for the end of its script."""
    dumped = json.dumps(to_plain(value), separators=(",", ":"), allow_nan=False)
    return dumped.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def asset(name: str) -> str:
    """Text of a file of `assets/`."""
    return files("nt_ray.reports").joinpath("assets", name).read_text(encoding="utf-8")
