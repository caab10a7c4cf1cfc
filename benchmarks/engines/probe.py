"""How fast this machine multiplies bf16 matrices of a network's shapes, in operations per second."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.engines.clock import read_job

ROWS = {"cpu": 900, "cuda": 8192}
ROUNDS, SECONDS = 5, 0.3


def main() -> None:
    job = read_job()
    device, (hidden, inner) = job["device"], job["sizes"]
    operations = seconds = 0.0
    for wide, high in ((hidden, hidden), (hidden, inner), (inner, hidden)):
        left = torch.randn(ROWS[device], wide, dtype=torch.bfloat16, device=device)
        right = torch.randn(wide, high, dtype=torch.bfloat16, device=device)
        operations += 2 * ROWS[device] * wide * high
        seconds += _fastest(partial(torch.matmul, left, right), device)
    print(json.dumps({"operations_per_second": operations / seconds}), flush=True)


def _fastest(product: Callable[[], object], device: str) -> float:
    """Seconds of one product: the mean of the fastest round."""
    product()
    best = float("inf")
    for _ in range(ROUNDS):
        began, count = _now(device), 0
        while _now(device) - began < SECONDS:
            for _ in range(10):
                product()
            count += 10
        best = min(best, (_now(device) - began) / count)
    return best


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
