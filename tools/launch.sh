# Sourced by the launchers beside it: which Python runs, from which folder it takes cmid_mm, and several processes.

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

# must_exist WHAT FILE
must_exist() {
  if [[ ! -f $2 ]]; then
    echo "$0: there is no $1 $2, seen from $PWD." >&2
    exit 2
  fi
}

# run_processes GPUS SCRIPT ARGUMENTS: that many processes of a tool, on this machine and on NNODES - 1 others, started
# again MAX_RESTARTS times if one of them fails.
run_processes() {
  if [[ ! $1 =~ ^[1-9][0-9]*$ ]]; then
    echo "$0: GPUS, the number of processes on this machine, is '$1' and must be a whole number from 1." >&2
    exit 2
  fi
  exec "$python" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$1" \
    --max_restarts="${MAX_RESTARTS:-0}" \
    "$tools/$2" "${@:3}"
}
