"""What can be asked of the engine and of the model alike, each with a sentence for a story.

Every amount is an integer at the contracts' scale: `ONE` is one unit of quantity, of price or of
leverage, and one unit of the quote currency.
"""

from __future__ import annotations

from attrs import evolve, frozen

ONE = 10**18
"""The contracts' fixed-point scale."""

ANY_PRICE = 10**30
"""An upper bound of the oracle price that bounds nothing."""


def shown(amount: int) -> str:
    """An amount at the contracts' scale as a decimal number, exactly."""
    whole, part = divmod(abs(amount), ONE)
    digits = f"{part:018d}".rstrip("0")
    return ("-" if amount < 0 else "") + f"{whole:,}" + (f".{digits}" if digits else "")


@frozen
class Order:
    """An order as an account signs it. Two orders that are equal are the same order.

    A price of 0 is a market order; an expiry of 0 never comes; `forged` spoils the signature.
    """

    account: str
    is_buy: bool
    quantity: int
    price: int
    leverage: int
    reduce_only: bool = False
    trigger: int = 0
    expires: int = 0
    salt: int = 0
    forged: bool = False

    def __str__(self) -> str:
        extra = [
            word
            for word, said in (
                ("reduce-only", self.reduce_only),
                (f"trigger {shown(self.trigger)}", self.trigger),
                (f"expires at {self.expires}", self.expires),
                ("forged", self.forged),
            )
            if said
        ]
        price = shown(self.price) if self.price else "market"
        return (
            f"{self.account} {'buys' if self.is_buy else 'sells'} {shown(self.quantity)} "
            f"@ {price} {shown(self.leverage)}x" + "".join(f", {word}" for word in extra)
        )


@frozen
class Deposit:
    account: str
    amount: int

    def __str__(self) -> str:
        return f"{self.account} deposits {shown(self.amount)}"


@frozen
class Withdraw:
    account: str
    amount: int

    def __str__(self) -> str:
        return f"{self.account} withdraws {shown(self.amount)}"


@frozen
class Fill:
    """The operator matches two signed orders; `gas` is what it charges each new order."""

    maker: Order
    taker: Order
    quantity: int
    price: int
    gas: int = 0

    def __str__(self) -> str:
        gas = f", gas {shown(self.gas)}" if self.gas else ""
        if self._is_plain(self.maker) and self._is_plain(self.taker):
            return self._plainly() + gas
        return (
            f"fill {shown(self.quantity)} @ {shown(self.price)}{gas}: "
            f"maker ({self.maker}), taker ({self.taker})"
        )

    def _is_plain(self, order: Order) -> bool:
        """Whether an order asks for this fill and for nothing else."""
        asked = Order(order.account, order.is_buy, self.quantity, self.price, order.leverage)
        return evolve(order, salt=0) == asked

    def _plainly(self) -> str:
        maker = f"{self.maker.account} (maker, {shown(self.maker.leverage)}x)"
        taker = f"{self.taker.account} ({shown(self.taker.leverage)}x)"
        what = f"{shown(self.quantity)} @ {shown(self.price)}"
        if self.maker.is_buy == self.taker.is_buy:
            return f"{maker} and {taker} both {'buy' if self.maker.is_buy else 'sell'} {what}"
        return f"{maker} {'buys' if self.maker.is_buy else 'sells'} {what}, with {taker}"


@frozen
class CancelOrder:
    order: Order

    def __str__(self) -> str:
        return f"cancel the order ({self.order})"


@frozen
class SetOracle:
    price: int

    def __str__(self) -> str:
        return f"the oracle price becomes {shown(self.price)}"


@frozen
class SetFunding:
    """The operator accrues funding at the old rate up to now, and sets the rate per hour."""

    rate: int

    def __str__(self) -> str:
        return f"funding accrues; the rate becomes {shown(self.rate)} per hour"


@frozen
class SetFundingSource:
    """The guardian says whether the rate comes from the operator or from trades on the chain."""

    on_chain: bool

    def __str__(self) -> str:
        source = "trades on the chain" if self.on_chain else "the operator"
        return f"the funding rate comes from {source}"


@frozen
class SampleFunding:
    """Anybody accrues funding and sets the rate from the trades of the window."""

    def __str__(self) -> str:
        return "funding accrues; the rate is taken from the trades since the last time"


@frozen
class Advance:
    seconds: int

    def __str__(self) -> str:
        return f"{self.seconds:,} seconds pass"


@frozen
class Liquidate:
    """`by` takes over lots of `account` at the oracle price. The side is checked by the engine."""

    account: str
    by: str
    quantity: int
    leverage: int
    is_buy: bool
    all_or_nothing: bool = False

    def __str__(self) -> str:
        whole = ", all or nothing" if self.all_or_nothing else ""
        return (
            f"{self.by} liquidates {self.account}: {'buys' if self.is_buy else 'sells'} "
            f"{shown(self.quantity)} {shown(self.leverage)}x{whole}"
        )


@frozen
class Deleverage:
    """The operator closes `maker`, who is under water, against `taker`."""

    maker: str
    taker: str
    quantity: int
    is_buy: bool
    all_or_nothing: bool = False

    def __str__(self) -> str:
        whole = ", all or nothing" if self.all_or_nothing else ""
        return (
            f"deleverage {self.maker} against {self.taker}: the taker "
            f"{'buys' if self.is_buy else 'sells'} {shown(self.quantity)}{whole}"
        )


@frozen
class AddMargin:
    account: str
    amount: int

    def __str__(self) -> str:
        return f"{self.account} adds {shown(self.amount)} of margin"


@frozen
class RemoveMargin:
    account: str
    amount: int

    def __str__(self) -> str:
        return f"{self.account} removes {shown(self.amount)} of margin"


@frozen
class AdjustLeverage:
    account: str
    leverage: int

    def __str__(self) -> str:
        return f"{self.account} adjusts its leverage to {shown(self.leverage)}x"


@frozen
class Delist:
    lowest: int
    highest: int

    def __str__(self) -> str:
        if (self.lowest, self.highest) == (0, ANY_PRICE):
            return "the owner delists the market at the oracle price"
        bounds = f"{shown(self.lowest)} and {shown(self.highest)}"
        return f"the owner delists the market if the oracle price is within {bounds}"


@frozen
class ClosePosition:
    account: str

    def __str__(self) -> str:
        return f"{self.account} closes its position at the delisting price"


@frozen
class CollectFees:
    def __str__(self) -> str:
        return "the owner moves the accrued fees to the fee pool"


@frozen
class CollectGas:
    def __str__(self) -> str:
        return "the owner moves the accrued gas charges to the gas pool"


@frozen
class SetTrading:
    allowed: bool

    def __str__(self) -> str:
        return f"the guardian {'allows' if self.allowed else 'halts'} trading"


@frozen
class SetWithdrawals:
    allowed: bool

    def __str__(self) -> str:
        return f"the guardian {'allows' if self.allowed else 'halts'} withdrawals"


Command = (
    Deposit
    | Withdraw
    | Fill
    | CancelOrder
    | SetOracle
    | SetFunding
    | SetFundingSource
    | SampleFunding
    | Advance
    | Liquidate
    | Deleverage
    | AddMargin
    | RemoveMargin
    | AdjustLeverage
    | Delist
    | ClosePosition
    | CollectFees
    | CollectGas
    | SetTrading
    | SetWithdrawals
)
"""Everything that can happen."""


def story(commands: list[Command] | tuple[Command, ...]) -> tuple[str, ...]:
    """Commands in words, one sentence each."""
    return tuple(str(command) for command in commands)
