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
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
must_exist 'config file' "$config"
gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
read -r -a srun_args <<<"${SRUN_ARGS:-}"

exec srun -p "$partition" \
  --job-name="$job" \
  --gres="gpu:$gpus_per_node" \
  --ntasks="$gpus" \
  --ntasks-per-node="$gpus_per_node" \
  --cpus-per-task="${CPUS_PER_TASK:-5}" \
  --kill-on-bad-exit=1 \
  ${srun_args[@]+"${srun_args[@]}"} \
  "$python" -u "$tools/train.py" "$config" --launcher slurm "$@"
