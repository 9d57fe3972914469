"""What a place costs with more orders on the book: the book looks for its best order."""

from __future__ import annotations

from statistics import median
from time import perf_counter

from bench.local import GOLD, MARK, Reference
from perpref import machine
from perpref.state import Kind, Side
from perpref.units import AccountId, OrderId

RESTING = (0, 10, 100, 1_000)


def report() -> None:
    """Print the cost of a place at several depths of the book."""
    print("One resting order placed, by how many rest already")
    first = 0.0
    for depth in RESTING:
        engine = Reference(10)
        for number in range(depth):
            engine.do(order(number + 1, Side.SELL, MARK + 1 + number))
        times = []
        for number in range(depth, depth + 30):
            since = perf_counter()
            engine.do(order(number + 1, Side.BUY, MARK - 1))
            times.append(perf_counter() - since)
            engine.do(machine.Cancel(AccountId(2), GOLD, OrderId(number + 1)))
        cost = median(times)
        first = first or cost
        print(f"{depth:>10,} {cost * 1e6:>9.1f} us {cost / first:>8.1f}x")


def order(number: int, side: Side, price: int) -> machine.Place:
    return machine.Place(OrderId(number), AccountId(2), GOLD, side, Kind.LIMIT, 2, price)
