"""Whether what reads a text costs twice as much for twice the text, and no more.

CPU time of this thread, the best of several, so that a busy machine changes little.
"""

import contextlib
import gc
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DOUBLINGS = 3
# For each doubling: 2 is linear, 4 quadratic; the rest is for caches, and for other work on the machine
ALLOWED = 3.0
# Seconds: what costs less than this at its largest stops nobody, and cannot be measured well
FREE = 0.004
ROUNDS = 5
# Seconds: no other process is to blame for this
PLAIN = 1.0


def grows_linearly(
    read: Callable[[T], object],
    text: Callable[[int], T],
    *,
    size: int,
    refusals: tuple[type[Exception], ...] = (),
) -> None:
    """``text`` makes an input of about so many characters; ``size`` is of the largest, where quadratic costs seconds.

    ``refusals`` are what ``read`` may raise: a text that is refused must cost no more either.
    """
    sizes = [size >> doubling for doubling in range(DOUBLINGS, -1, -1)]
    inputs = [text(each) for each in sizes]
    costs = [float("inf")] * len(sizes)
    gc.collect()
    gc.freeze()  # what the suite holds is not to be looked through again whenever a reader has made many objects
    try:
        for _ in range(ROUNDS):
            costs = [min(cost, _cost(read, given, refusals)) for cost, given in zip(costs, inputs, strict=True)]
            if _is_linear(costs):
                return
            if costs[-1] > PLAIN:
                break
    finally:
        gc.unfreeze()
    shown = ", ".join(f"{size}: {cost * 1000:.1f} ms" for size, cost in zip(sizes, costs, strict=True))
    raise AssertionError(f"The cost grows faster than the text: {shown}")


def _is_linear(costs: list[float]) -> bool:
    return costs[-1] <= max(FREE, costs[0] * ALLOWED**DOUBLINGS)


def _cost(read: Callable[[T], object], given: T, refusals: tuple[type[Exception], ...]) -> float:
    """The best of three where one is so short that something else can be most of it."""
    best = _once(read, given, refusals)
    for _ in range(2 if best < 0.05 else 0):
        best = min(best, _once(read, given, refusals))
    return best


def _once(read: Callable[[T], object], given: T, refusals: tuple[type[Exception], ...]) -> float:
    began = time.thread_time()
    with contextlib.suppress(*refusals):
        read(given)
    return time.thread_time() - began
