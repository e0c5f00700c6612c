"""The long drills: 1,000 kills of a trader whose journal lies in SQLite, 200 of one whose journal lies in PostgreSQL.

Prints what `nt-ray chaos` prints; ends with 1 where an audit finds a fault.
"""

import sys

from benchmarks.postgres_server import server
from jobs import cli


def main() -> int:
    """Run both drills."""
    print("journal in SQLite", flush=True)
    found = cli.main(["chaos", "--kills", "1000", "--seed", "11", "--no-progress"])
    print("journal in PostgreSQL", flush=True)
    with server(sync=False) as database:
        return found | cli.main(
            ["chaos", "--kills", "200", "--seed", "12", "--no-progress", "--journal", database.url(schema="drill")]
        )


if __name__ == "__main__":
    sys.exit(main())
