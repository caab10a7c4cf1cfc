"""Read several prompts at once, a part of the processor's cores each. Knows threads; knows no model.

The products of a small model are too small to fill all cores, and between them each prompt waits for its slowest one;
prompts need nothing of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def side_by_side(work: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
    """What `work` makes of each, in order; it sees the caller's context variables and inference mode.

    Raises what the first of them raises, after those that have begun.
    """
    import torch

    threads = torch.get_num_threads()
    workers = min(threads, len(given))
    if workers < 2:  # noqa: PLR2004
        return [work(one) for one in given]
    inference = torch.is_inference_mode_enabled()

    def alone(one: Given) -> Made:
        torch.set_num_threads(threads // workers)  # of this thread, and of those that are begun meanwhile
        with torch.inference_mode(inference):
            return work(one)

    try:
        with ThreadPoolExecutor(workers, thread_name_prefix="ragraft-read") as pool:
            begun = [pool.submit(copy_context().run, alone, one) for one in given]
            return [one.result() for one in begun]
    finally:
        torch.set_num_threads(threads)
