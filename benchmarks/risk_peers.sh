#!/bin/sh
# Puts the peers of benchmarks/risk.py into a virtual environment of their own: skfolio (BSD), PyPortfolioOpt (MIT) and
# riskfolio-lib (BSD, but it brings vectorbt under Apache 2.0 with the Commons Clause).
#
#     sh benchmarks/risk_peers.sh [FOLDER]      default .venv-peers
set -eu
folder=${1:-.venv-peers}/risk
python=${PYTHON:-python3.11}

test -x "$folder/bin/python" || "$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    "skfolio==1.12.2" "PyPortfolioOpt==1.6.0" "riskfolio-lib==7.4.0" "numpy==2.4.6" "pandas==3.1.1"
