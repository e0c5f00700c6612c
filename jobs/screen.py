"""Whether a person sits at a screen, and a page shown there."""

import os
import sys
import webbrowser
from pathlib import Path


def show_page(page: Path, *, browse: bool | None, as_json: bool) -> None:
    """Open a page where that is asked for; None opens it where a person sits at a screen and reads no JSON."""
    if browse or (browse is None and not as_json and _has_screen()):
        webbrowser.open(page.as_uri())


def _has_screen() -> bool:
    if not sys.stdout.isatty():
        return False
    return sys.platform == "darwin" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
