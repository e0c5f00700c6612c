#!/bin/sh
# Puts the event-driven peers of benchmarks/event_peers.py into virtual environments of their own.
#
# Each peer has one environment, because their requirements exclude each other, and none is ever imported by this
# project: the benchmark starts them as programs. backtesting.py is under the AGPL, NautilusTrader under the LGPL.
#
#     sh benchmarks/event_peers.sh [FOLDER]      default .venv-peers
set -eu
folder=${1:-.venv-peers}
python=${PYTHON:-python3.11}

install() {
    test -x "$folder/$1/bin/python" || "$python" -m venv "$folder/$1"
    name=$1
    shift
    "$folder/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

install nautilus "nautilus_trader==1.221.0" "pandas<3"
install backtesting "backtesting==0.6.6" "pandas<3"
