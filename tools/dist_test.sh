#!/usr/bin/env bash
# Test a trained model on several GPUs, or in as many processes on the CPU; see dist_train.sh for many machines.
set -euo pipefail

if [[ $# -lt 3 ]]; then
  echo "usage: [NNODES=1 NODE_RANK=0 MASTER_ADDR=127.0.0.1 PORT=29500 PYTHON=python] $0 CONFIG CHECKPOINT GPUS [arguments of test.py]" >&2
  exit 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
must_exist 'config file' "$1"
must_exist 'checkpoint' "$2"
run_processes "$3" test.py "$1" "$2" --launcher pytorch "${@:4}"
