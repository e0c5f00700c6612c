"""What the venue tells and nobody can read: set aside under a name, counted once, logged once.

An order that somebody placed at the venue by hand may be of a kind that is unknown here; what is told of it must not
hold up the rest. What such a message says is found, where it matters, by asking and by reconciling.
"""

import logging
from typing import Final

from nt_ray.errors import BrokerError

_MOST: Final = 10_000
"""Names that are kept; the count goes on."""

_log = logging.getLogger(__name__)


class Unread:
    """Names of what could not be read."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self.count = 0

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def note(self, name: str, error: BrokerError) -> None:
        """Set something aside, once for each name."""
        if name in self._names:
            return
        self.count += 1
        if len(self._names) < _MOST:
            self._names.add(name)
            _log.warning("%s is set aside: %s", name, error)
