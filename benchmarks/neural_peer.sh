#!/bin/sh
# Puts neuralforecast, the peer of benchmarks/neural_peer.py, into a virtual environment of its own.
#
# The product's training loop runs there too, on the peer's own networks, so what `nt_ray/neural` needs comes along.
#
#     sh benchmarks/neural_peer.sh [FOLDER]      default .venv-peers
set -eu
folder=${1:-.venv-peers}/neuralforecast
python=${PYTHON:-python3.11}

test -x "$folder/bin/python" || "$python" -m venv "$folder"
install() { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
install torch==2.13.0
install neuralforecast==3.3.0
install --constraint constraints.txt numba polars pydantic safetensors
