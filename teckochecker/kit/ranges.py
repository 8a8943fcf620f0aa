"""The numbers that a field takes, once for its column, its messages and the help of its option."""

from dataclasses import dataclass
from typing import Generic, TypeVar

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Range(Generic[N]):
    """Both ends are in it; ``default`` is what a new row has."""

    low: N
    high: N
    default: N

    def __str__(self) -> str:
        return f"from {self.low} to {self.high}"

    def within(self, number: N) -> N:
        """The nearest number that is in it."""
        return min(max(number, self.low), self.high)
