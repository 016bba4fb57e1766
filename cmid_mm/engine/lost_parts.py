"""One sentence on the loss of a part of a run: a data worker, or another of its processes."""

import re

import torch

from .hooks.data_worker_hook import DataWorkerError

# What gloo says of a connection whose other end has gone, and NCCL in its own error.
_CLOSED = re.compile(r'(Connection (?:closed|reset) by peer|Broken pipe|Socket Timeout|remote process exited)[^\n]*')


def sentence_on_loss(error: BaseException) -> str | None:
    """Explain an error that torch raises where a part of the run was lost.

    Args:
        error (BaseException): What ended the run.

    Returns:
        str or None: A sentence; None if it is another error.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DataWorkerError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    closed = _CLOSED.search(str(error))
    if closed is None or not torch.distributed.is_initialized():
        return None
    return (
        f'another process of this run was lost ({closed[0]}), so process {torch.distributed.get_rank()} ends too; '
        "the launcher's report and the lost process's own last lines say why; go on with --resume"
    )
