#!/usr/bin/env bash
# Train on several GPUs, of one machine or of many; without a GPU, in as many processes on the CPU.
# It works from any folder. On each of several machines, run it with the same MASTER_ADDR, PORT and NNODES
# and with NODE_RANK from 0 to NNODES - 1.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  echo "usage: [NNODES=1 NODE_RANK=0 MASTER_ADDR=127.0.0.1 PORT=29500 PYTHON=python] $0 CONFIG GPUS [arguments of train.py]" >&2
  exit 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
must_exist 'config file' "$1"
run_processes "$2" train.py "$1" --launcher pytorch "${@:3}"
