#!/usr/bin/env bash
# Train as a slurm job: one task a GPU, GPUS of them, GPUS_PER_NODE on each machine. It works from any folder.
set -euo pipefail

if [[ $# -lt 3 ]]; then
  echo "usage: [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS='' PYTHON=python] $0 PARTITION JOB CONFIG [arguments of train.py]" >&2
  exit 2
fi
partition=$1
job=$2
config=$3
shift 3
if [[ ! -f $config ]]; then
  echo "$0: there is no config file $config, seen from $PWD." >&2
  exit 2
fi
gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
read -r -a srun_args <<<"${SRUN_ARGS:-}"

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

exec srun -p "$partition" \
  --job-name="$job" \
  --gres="gpu:$gpus_per_node" \
  --ntasks="$gpus" \
  --ntasks-per-node="$gpus_per_node" \
  --cpus-per-task="${CPUS_PER_TASK:-5}" \
  --kill-on-bad-exit=1 \
  ${srun_args[@]+"${srun_args[@]}"} \
  "$python" -u "$tools/train.py" "$config" --launcher slurm "$@"
