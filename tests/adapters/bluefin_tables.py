"""Figures that the engine's own tests publish, as facts to hold engine and model to.

They are taken from the repository fireflyprotocol/bluefin-exchange-contracts-evm, commit
b03175b7578476def8127b788ecab9290ff84c73, folder test/unit. Amounts are decimal strings; banks are
published to six decimals, positions to three.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Opened:
    """A trade that opens a position: oracle, signed size, leverage; the price is 100."""

    oracle: str
    size: int
    leverage: int


@frozen
class After:
    """An account afterwards: bank balance, signed quantity, margin, entry value."""

    bank: str
    quantity: int = 0
    margin: str = "0"
    oi_open: str = "0"


@frozen
class AdlTable:
    """Alice trades with bob, cat with dog, funding accrues; alice is deleveraged against cat."""

    name: str
    rate: str
    alice: Opened
    cat: Opened
    oracle: str
    size: int
    alice_after: After
    cat_after: After
    fees: str
    perpetual: str


ADL = (
    AdlTable(
        "# 1 - Long Position + Full ADL",
        "0",
        Opened("102", 10, 4),
        Opened("100", -10, 1),
        "70",
        10,
        After("1730"),
        After("5230"),
        "140",
        "1250",
    ),
    AdlTable(
        "#2 - Short Position + Full ADL",
        "0",
        Opened("100", -10, 4),
        Opened("100", 20, 2),
        "130",
        10,
        After("1730"),
        After("4710", 10, "500", "1000"),
        "210",
        "1750",
    ),
    AdlTable(
        "#3 - Short Position + Partial ADL",
        "0",
        Opened("99", -10, 5),
        Opened("100", 20, 2),
        "125",
        5,
        After("1780", -5, "100", "500"),
        After("4310", 15, "750", "1500"),
        "210",
        "2050",
    ),
    AdlTable(
        "#4 - Long Position + Full ADL + Funding > Margin",
        "0.715238096",
        Opened("102", 10, 4),
        Opened("100", -20, 2),
        "70",
        5,
        After("1730", 5, "125", "750.333"),
        After("4335", -15, "1501", "1500"),
        "210",
        "2125",
    ),
    AdlTable(
        "#5 - Long Position + Full ADL + Funding > Margin",
        "0.715238096",
        Opened("102", 10, 4),
        Opened("100", -20, 2),
        "70",
        10,
        After("1730"),
        After("4710", -10, "1000.667", "1000"),
        "210",
        "1750",
    ),
    AdlTable(
        "#6 - Long Position + Full ADL + margin > funding",
        "0.715238096",
        Opened("102", 10, 2),
        Opened("100", -20, 2),
        "50",
        10,
        After("1480"),
        After("4960", -10, "857.619", "1000"),
        "210",
        "2000",
    ),
    AdlTable(
        "#7 - Short Position + Full ADL + Funding > Margin",
        "-0.715238096",
        Opened("102", -10, 4),
        Opened("100", 20, 2),
        "100",
        10,
        After("1730"),
        After("4710", 10, "1215.238", "1000"),
        "210",
        "1750",
    ),
    AdlTable(
        "#8 - Short Position + Full ADL + Funding > (Margin + oiOpen)",
        "-1.548333333",
        Opened("102", -10, 4),
        Opened("100", 10, 1),
        "100",
        10,
        After("1730"),
        After("5778.333333"),
        "140",
        "701.666667",
    ),
)
"""ADLTrades.test.ts."""


@frozen
class LiquidationTable:
    """Alice trades with bob at 100; the liquidator, who has 5,000, takes over at 1x."""

    name: str
    alice: Opened
    oracle: str
    size: int
    alice_after: After
    liquidator_after: After
    insurance: str
    perpetual: str


LIQUIDATION = (
    LiquidationTable(
        "Test #1 Long Position + Full Liquidation",
        Opened("99", 10, 4),
        "78.947368",
        10,
        After("1730"),
        After("4246.052632", 10, "789.474", "789.474"),
        "3.947368",
        "1250",
    ),
    LiquidationTable(
        "Test # 2 - Short Position + Full Liquidation",
        Opened("99", -10, 4),
        "119.047622",
        10,
        After("1730"),
        After("3863.095182", -10, "1190.476", "1190.476"),
        "5.952378",
        "1630.95244",
    ),
    LiquidationTable(
        "Test # 3 - Long Position + Partial Liquidation",
        Opened("99", 10, 4),
        "78.947366",
        6,
        After("1730", 4, "100", "400"),
        After("4547.631580", 6, "473.684", "473.684"),
        "2.36842",
        "950",
    ),
    LiquidationTable(
        "Test # 4 - Short Position + Partial Liquidation",
        Opened("99", -10, 4),
        "119.047622",
        6,
        After("1730", -4, "100", "400"),
        After("4317.857109", -6, "714.286", "714.286"),
        "3.571427",
        "1178.571464",
    ),
    LiquidationTable(
        "Test # 5 - Long Position + Full Underwater Liquidation",
        Opened("102", 10, 4),
        "69.999998",
        10,
        After("1730"),
        After("4250", 10, "700", "700"),
        "0",
        "1250",
    ),
    LiquidationTable(
        "Test # 6 - Short Position + Full Underwater Liquidation",
        Opened("100", -10, 4),
        "137.500002",
        10,
        After("1730"),
        After("3499.99996", -10, "1375", "1375"),
        "0",
        "2000.00004",
    ),
    LiquidationTable(
        "Test # 7 - Long Position + Full Underwater Liquidation",
        Opened("100", 10, 5),
        "69.999998",
        10,
        After("1780"),
        After("4200", 10, "700", "700"),
        "0",
        "1200",
    ),
    LiquidationTable(
        "Test # 8 - Short Position + Partial Underwater Liquidation",
        Opened("99", -10, 5),
        "130.000002",
        10,
        After("1780"),
        After("3599.99996", -10, "1300", "1300"),
        "0",
        "1800.00004",
    ),
)
"""LiquidationTrades.test.ts."""


@frozen
class RefusedLiquidation:
    """A liquidator whose own position would lose more than its margin, or grow too large."""

    name: str
    price: int
    size: int
    leverage: int
    liquidator_price: int
    liquidator_size: int
    liquidator_leverage: int
    oracle: int
    error: str


LOSS = "Cannot trade when loss exceeds margin. Please add margin"
TOO_LARGE = "OI open for selected leverage > max allowed oi open"

MORE_LOSS = (
    RefusedLiquidation("Test #1 reduces", 500, 10, 4, 100, -14, 6, 392, LOSS),
    RefusedLiquidation("Test #2 closes", 500, 10, 4, 100, -10, 6, 392, LOSS),
    RefusedLiquidation("Test #3 flips", 500, 10, 4, 100, -6, 6, 392, LOSS),
    RefusedLiquidation("Test #4 reduces", 500, -10, 4, 700, 14, 10, 598, LOSS),
    RefusedLiquidation("Test #5 closes", 500, -10, 4, 700, 10, 10, 598, LOSS),
    RefusedLiquidation("Test #6 flips", 500, -10, 4, 700, 6, 10, 598, LOSS),
    RefusedLiquidation("Test #7 increases", 100, 1500, 8, 100, 1400, 8, 90, TOO_LARGE),
)
"""LiquidationTradesWithMoreLoss.test.ts."""


@frozen
class DelistingTable:
    """Eight accounts trade in pairs, the market is delisted, and they leave one by one."""

    name: str
    trades: tuple[tuple[str, str, int, int, int], ...]
    oracle: int
    removes: int
    adds: int
    delisted_at: int
    leave: tuple[tuple[str, str], ...]


SHORTS = (
    ("a", "b", 1000, -10, 4),
    ("c", "d", 1000, -10, 8),
    ("e", "f", 1100, -25, 6),
    ("g", "h", 1100, -20, 4),
)
DELISTING = (
    DelistingTable(
        "Test # 1",
        (
            ("a", "b", 1000, 10, 4),
            ("c", "d", 1000, 20, 8),
            ("e", "f", 900, 25, 5),
            ("g", "h", 900, 20, 4),
        ),
        1200,
        2500,
        3100,
        1225,
        (
            ("e", "13900"),
            ("g", "12320"),
            ("a", "8150"),
            ("c", "6025"),
            ("b", "3300"),
            ("h", "1140"),
            ("f", "1050"),
        ),
    ),
    DelistingTable(
        "Test # 2",
        SHORTS,
        850,
        1250,
        4550,
        865,
        (
            ("e", "11600"),
            ("g", "10480"),
            ("d", "4450"),
            ("a", "7250"),
            ("c", "7250"),
            ("b", "3958.333333"),
            ("h", "60"),
            ("f", "866.666667"),
        ),
    ),
    DelistingTable(
        "Test # 3",
        SHORTS,
        850,
        1250,
        4550,
        865,
        (
            ("a", "7250"),
            ("b", "4450"),
            ("c", "7250"),
            ("d", "4450"),
            ("e", "11600"),
            ("f", "866.666667"),
            ("g", "9988.333333"),
            ("h", "60"),
        ),
    ),
)
"""DelistingPerpetual.test.ts."""
