#!/bin/sh
# Puts peers into environments of their own and records what they say: backtesting.py and vectorbt trade GOOG's daily
# bars, empyrical and quantstats measure one curve.
#
# The records under tests/backtest/peers/recorded/ are what the event simulator is compared with. The peers are run as
# programs and never imported: backtesting.py is under the AGPL, vectorbt under Apache-2.0 with the Commons Clause.
#
#     sh benchmarks/peer_trades.sh [FOLDER]      default .venv-peers
set -eu
folder=${1:-.venv-peers}
python=${PYTHON:-python3.11}
here=tests/backtest/peers
records=tests/backtest/peers/recorded

record() {
    name=$1 program=$2 bars=$3
    shift 3
    test -x "$folder/$name/bin/python" || "$python" -m venv "$folder/$name"
    "$folder/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    "$folder/$name/bin/python" "benchmarks/peers/$program.py" "$bars" >"$records/$name.json.part"
    mv "$records/$name.json.part" "$records/$name.json"
}

record backtesting backtesting_trades $here/goog.csv "backtesting==0.6.6" "pandas<3"
# What both libraries say of one curve is what the measures are compared with.
record measures measures $here/curve.csv "empyrical-reloaded==0.7.1" "quantstats==0.0.86"
# The last bits of its means may hang on what they are compiled with.
record vectorbt vectorbt_crossover $here/goog.csv "vectorbt[rust]==1.2.0" "numba==0.68.1" "numpy==2.4.6" "pandas==3.1.1"
