#!/bin/sh
# Puts the event-driven peers of benchmarks/event_peers.py into virtual environments of their own.
#
# Each peer has one environment, because their requirements exclude each other, and none is ever imported by this
# project: the benchmark starts them as programs. backtesting.py is under the AGPL, NautilusTrader under the LGPL.
#
# NautilusTrader 2 is a pre-release for Python 3.12: PYTHON312, or python3.12 on the path. Where there is none, version 1
# takes its place.
#
#     sh benchmarks/event_peers.sh [FOLDER]      default .venv-peers
set -eu
folder=${1:-.venv-peers}
python=${PYTHON:-python3.11}
python312=${PYTHON312:-python3.12}

install() {
    with=$1
    name=$2
    shift 2
    test -x "$folder/$name/bin/python" || "$with" -m venv "$folder/$name"
    "$folder/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

if "$python312" -c "" 2>/dev/null; then
    install "$python312" nautilus2 "nautilus_trader==2.0.0rc6" numpy "pandas<3"
else
    install "$python" nautilus "nautilus_trader==1.221.0" "pandas<3"
fi
install "$python" backtesting "backtesting==0.6.6" "pandas<3"
