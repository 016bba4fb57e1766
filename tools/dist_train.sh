#!/usr/bin/env bash
# Train on several GPUs, of one machine or of many; without a GPU, in as many processes on the CPU.
# It works from any folder. On each of several machines, run it with the same MASTER_ADDR, PORT and NNODES
# and with NODE_RANK from 0 to NNODES - 1.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  echo "usage: [NNODES=1 NODE_RANK=0 MASTER_ADDR=127.0.0.1 PORT=29500 PYTHON=python] $0 CONFIG GPUS [arguments of train.py]" >&2
  exit 2
fi
config=$1
gpus=$2
shift 2
if [[ ! -f $config ]]; then
  echo "$0: there is no config file $config, seen from $PWD." >&2
  exit 2
fi
if [[ ! $gpus =~ ^[1-9][0-9]*$ ]]; then
  echo "$0: GPUS, the number of processes on this machine, is '$gpus' and must be a whole number from 1." >&2
  exit 2
fi

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# An activated environment goes first, then the one that the Makefile made.
python=${PYTHON:-python}
if [[ -z ${PYTHON:-}${VIRTUAL_ENV:-}${CONDA_PREFIX:-} && -x $tools/../.venv/bin/python ]]; then
  python=$tools/../.venv/bin/python
fi
if [[ -d $tools/../cmid_mm ]]; then # in a checkout, which need not be installed
  PYTHONPATH=$(dirname "$tools")${PYTHONPATH:+:$PYTHONPATH}
  export PYTHONPATH
fi

exec "$python" -m torch.distributed.run \
  --nnodes="${NNODES:-1}" \
  --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" \
  --nproc_per_node="$gpus" \
  "$tools/train.py" "$config" --launcher pytorch "$@"
