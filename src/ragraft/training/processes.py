"""The processes of one job: how many they are, which one this is, waiting for each other. Knows no training."""

from __future__ import annotations

from torch import distributed

from ragraft.errors import TrainingError


def join(count: int, device: str) -> None:
    """Meet the job's other processes, and take a device of one's own; a single process meets nobody."""
    if count == 1:
        return
    import torch
    from accelerate import PartialState

    if device == "mps":
        raise TrainingError(f"train.processes: {count} needs CUDA GPUs or a CPU; Apple's GPUs take one process")
    if device == "cuda" and count > torch.cuda.device_count():
        raise TrainingError(f"train.processes: {count} needs as many GPUs, and there are {torch.cuda.device_count()}")
    PartialState(cpu=device == "cpu", backend="gloo" if device == "cpu" else None)


def backend(device: str) -> str | None:
    """What the processes talk through, where it isn't the device's own; None too where there is only one."""
    return "gloo" if device == "cpu" and distributed.is_initialized() else None


def is_first() -> bool:
    """Whether this is the process that writes; the others only compute."""
    return not distributed.is_initialized() or distributed.get_rank() == 0


def wait() -> None:
    """Go on when all processes are here."""
    if distributed.is_initialized():
        distributed.barrier()
