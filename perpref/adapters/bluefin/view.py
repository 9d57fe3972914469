"""What the engine and the model show of themselves, in one form, so that they can be compared."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import fields, frozen


@frozen
class Holding:
    """An account: free balance, signed position, its margin, open interest and required margin."""

    bank: int
    quantity: int
    margin: int
    oi_open: int
    mro: int
    index: int
    index_time: int


@frozen
class View:
    """The whole exchange. `accrued_*` lie in the perpetual's balance until they are collected."""

    accounts: Mapping[str, Holding]
    perpetual: int
    fee_pool: int
    insurance_pool: int
    gas_pool: int
    accrued_fees: int
    accrued_gas: int
    custody: int
    index: int
    index_time: int
    rate: int
    sampled_sum: int
    sampled_ratio: int
    oracle: int
    delisted: bool
    delisting_price: int
    time: int

    def bank_total(self) -> int:
        """All balances in the bank together."""
        pools = self.perpetual + self.fee_pool + self.insurance_pool + self.gas_pool
        return pools + sum(holding.bank for holding in self.accounts.values())


HOLDING = tuple(field.name for field in fields(Holding))
NUMBERS = tuple(field.name for field in fields(View) if field.name != "accounts")


def differences(engine: View, model: View) -> dict[str, tuple[int, int]]:
    """What differs, by name: the engine's number and the model's."""
    found: dict[str, tuple[int, int]] = {}
    if engine == model:
        return found
    for name, ours in model.accounts.items():
        theirs = engine.accounts[name]
        for field in HOLDING:
            if getattr(theirs, field) != getattr(ours, field):
                found[f"{name} {field}"] = (getattr(theirs, field), getattr(ours, field))
    for field in NUMBERS:
        if getattr(engine, field) != getattr(model, field):
            found[field] = (int(getattr(engine, field)), int(getattr(model, field)))
    return found
