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
ROUNDS = 15
# In each round, of the smallest: it is so short that something else can be most of it
REPEATED = 3
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
    smallest = size >> DOUBLINGS
    short, long = text(smallest), text(size)
    few = many = float("inf")
    gc.collect()
    gc.freeze()  # what the suite holds is not to be looked through again whenever a reader has made many objects
    for _ in range(ROUNDS):
        few = min(few, *(_cost(read, short, refusals) for _ in range(REPEATED)))
        many = min(many, _cost(read, long, refusals))
        if many <= max(FREE, few * ALLOWED**DOUBLINGS):
            return
        if many > PLAIN:
            break
    shown = f"{smallest}: {few * 1000:.1f} ms, {size}: {many * 1000:.1f} ms"
    raise AssertionError(f"The cost grows faster than the text: {shown}")


def _cost(read: Callable[[T], object], given: T, refusals: tuple[type[Exception], ...]) -> float:
    began = time.thread_time()
    with contextlib.suppress(*refusals):
        read(given)
    return time.thread_time() - began
