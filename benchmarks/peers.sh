#!/bin/sh
# Puts the peers of benchmarks/sweep_peers.py into virtual environments of their own.
#
# Each peer has one environment and is never imported by this project: the benchmark starts it as a program. vectorbt is
# under Apache 2.0 with the Commons Clause, raptorbt under MIT.
#
#     sh benchmarks/peers.sh [FOLDER]      default .venv-peers
set -eu
folder=${1:-.venv-peers}
python=${PYTHON:-python3.11}

install() {
    test -x "$folder/$1/bin/python" || "$python" -m venv "$folder/$1"
    name=$1
    shift
    "$folder/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

install vectorbt "vectorbt[rust]==1.2.0" "numba==0.68.1" "numpy==2.4.6" "pandas==3.1.1"
install raptorbt "raptorbt==0.13.4" numpy
