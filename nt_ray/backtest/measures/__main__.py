"""Print docs/metrics.md."""

import sys

from nt_ray.backtest.measures.catalogue import metrics_page

if __name__ == "__main__":
    sys.stdout.write(metrics_page())
