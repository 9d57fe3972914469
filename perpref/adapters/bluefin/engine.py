"""Bluefin's exchange, deployed and driven in this process, behind methods that take integers.

Two builds of one engine were published: `arbitrum` (gas charges, fees pooled in the perpetual's
balance, a price feed in the style of Chainlink) and `boba` (older: fees paid out at every fill,
its own price oracle, which bounds how far one update may move the price). One market, a handful
of named accounts with signing keys, one operator that owns every contract.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.chain import (
    CHAIN_ID,
    Artefact,
    Chain,
    Contract,
    Reverted,
    proxy_artefact,
    published,
)
from perpref.adapters.bluefin.install import BluefinUnavailable, install
from perpref.adapters.bluefin.terms import Terms, published_terms
from perpref.adapters.bluefin.view import Holding, View

try:
    import coincurve
    from eth_hash.auto import keccak
except ImportError as error:
    raise BluefinUnavailable(f"a Python package is missing: {error.name}") from error

ACCOUNTS = ("alice", "bob", "cat", "dog", "eve")
GENESIS = 1_700_000_000
START_DELAY = 10
MARKET_NAME = "ETH-PERP"
ZERO = "0x" + "00" * 20
FEE_POOL = "0x" + "fe" * 20
INSURANCE_POOL = "0x" + "1f" * 20
GAS_POOL = "0x" + "6a" * 20
OPERATOR = "0x" + "0e" * 20
ENDLESS = 2**256 - 1
BUY, REDUCE_ONLY, SALT_SHIFT = 1, 2, 8

UPGRADEABLE = (
    "Evaluator",
    "Guardian",
    "FundingOracle",
    "MarginBank",
    "MarginMath",
    "Perpetual",
    "IsolatedTrader",
    "IsolatedLiquidation",
    "IsolatedADL",
)
ORACLE = {"arbitrum": "DummyPriceOracle", "boba": "PriceOracle"}
FEED_QUANTUM = 10**10
"""The feed of the `arbitrum` build has eight decimals."""

DOMAIN_SCHEMA = keccak(
    b"EIP712Domain(string name,string version,uint128 chainId,address verifyingContract)"
)
ORDER_SCHEMA = keccak(
    b"Order(bytes8 flags,uint128 quantity,uint128 price,uint128 triggerPrice,"
    b"uint128 leverage,address maker,uint128 expiration)"
)


def word(value: int) -> bytes:
    """A number as the contracts encode it."""
    return value.to_bytes(32, "big")


@cache
def artefacts(folder: Path, build: str) -> dict[str, Artefact]:
    """Every contract of a build, read once."""
    names = (*UPGRADEABLE, "DummyUSDC", ORACLE[build])
    return {name: published(folder, build, name) for name in names} | {
        "ERC1967Proxy": proxy_artefact(folder)
    }


@cache
def signing_keys(count: int) -> tuple[tuple[str, coincurve.PrivateKey], ...]:
    """Deterministic keys with their addresses, in the order of the addresses.

    The contracts settle funding in the order of addresses; so the order of the names is theirs.
    """
    found = []
    for number in range(count):
        key = coincurve.PrivateKey(keccak(f"perpref bluefin account {number}".encode()))
        point = key.public_key.format(compressed=False)[1:]
        found.append(("0x" + keccak(point)[12:].hex(), key))
    return tuple(sorted(found, key=lambda entry: entry[0]))


class Engine:
    """One exchange. Every method either does what it says or raises Reverted and does nothing."""

    def __init__(
        self,
        build: str,
        terms: Terms | None = None,
        folder: Path | None = None,
        accounts: tuple[str, ...] = ACCOUNTS,
    ) -> None:
        self.build = build
        self.terms = terms or published_terms(build)
        self.accounts = tuple(sorted(accounts))
        self._parts = artefacts(install(folder), build)
        keys = signing_keys(len(self.accounts))
        self._address = {name: keys[i][0] for i, name in enumerate(self.accounts)}
        self._key = {name: keys[i][1] for i, name in enumerate(self.accounts)}
        self._chain = Chain(GENESIS)
        self._signatures: dict[c.Order, bytes] = {}
        self._deploy()
        self._permit()

    def _put(self, name: str, *arguments: Any) -> Contract:
        proxy = self._parts["ERC1967Proxy"]
        return self._chain.deploy_behind(OPERATOR, proxy, self._parts[name], *arguments)

    def _deploy(self) -> None:
        terms = self.terms
        self._token = self._chain.deploy(OPERATOR, self._parts["DummyUSDC"], "USDC", "USDC", 0)
        self._evaluator = self._put(
            "Evaluator",
            terms.min_price,
            terms.max_price,
            terms.tick_size,
            terms.min_quantity,
            terms.max_quantity_limit,
            terms.max_quantity_market,
            terms.step_size,
            terms.take_bound_long,
            terms.take_bound_short,
            list(terms.max_open_interest),
        )
        self._guardian = self._put("Guardian")
        if self.build == "arbitrum":
            self._oracle = self._put("DummyPriceOracle", terms.first_oracle)
        else:
            self._oracle = self._put(
                "PriceOracle", ZERO, self._guardian.address, terms.oracle_max_move
            )
        self._funding = self._put(
            "FundingOracle", ZERO, self._guardian.address, terms.max_funding_rate
        )
        self._bank = self._put("MarginBank", self._token.address, self._guardian.address, ZERO)
        addresses = (
            self._put("MarginMath").address,
            self._oracle.address,
            self._funding.address,
            self._bank.address,
            self._evaluator.address,
            FEE_POOL,
            self._guardian.address,
        )
        self._perpetual = self._put(
            "Perpetual",
            MARKET_NAME,
            addresses,
            ZERO,
            terms.initial_margin,
            terms.maintenance_margin,
            terms.maker_fee,
            terms.taker_fee,
        )
        market = (self._perpetual.address, self._evaluator.address)
        if self.build == "arbitrum":
            market_and_pool = (*market, self._bank.address, GAS_POOL, ZERO, CHAIN_ID)
            self._trader = self._put("IsolatedTrader", *market_and_pool)
        else:
            self._trader = self._put("IsolatedTrader", *market, ZERO, CHAIN_ID)
        self._liquidation = self._put(
            "IsolatedLiquidation",
            self._perpetual.address,
            self._bank.address,
            self._evaluator.address,
            INSURANCE_POOL,
            terms.insurance_share,
        )
        self._adl = self._put("IsolatedADL", *market)
        self._domain = keccak(
            DOMAIN_SCHEMA
            + keccak(b"IsolatedTrader")
            + keccak(b"1.0")
            + word(CHAIN_ID)
            + word(int(self._trader.address, 16))
        )

    def _permit(self) -> None:
        """The permissions that the contracts need of each other, and funding set off chain."""
        perpetual, bank = self._perpetual, self._bank
        for contract in (self._trader, self._liquidation, self._adl):
            self._operate(perpetual, "setTradeContract", contract.address, True)
        for contract in (perpetual, self._trader, self._liquidation):
            self._operate(bank, "setBankOperator", contract.address, True)
        self._operate(perpetual, "setSettlementOperator", OPERATOR, True)
        self._operate(self._funding, "setFundingRateProvider", perpetual.address)
        self.set_funding_source(False)
        if self.terms.gasless_order_value:
            value = self.terms.gasless_order_value
            self._operate(self._trader, "setGaslessOrderValue", value)
        if self.build == "boba":
            self._operate(self._oracle, "setOracleOperator", OPERATOR)
            self.set_oracle(self.terms.first_oracle)
        for address in self._address.values():
            self._chain.call(address, self._token, "approve", bank.address, ENDLESS)
        self._operate(perpetual, "startTrading", self._chain.now + START_DELAY)
        self.advance(START_DELAY + 1)

    def _operate(self, contract: Contract, method: str, *arguments: Any) -> None:
        self._chain.call(OPERATOR, contract, method, *arguments)

    def _own(self, account: str, contract: Contract, method: str, *arguments: Any) -> None:
        self._chain.call(self._address[account], contract, method, *arguments)

    # Money in and out -------------------------------------------------------------------------

    def deposit(self, account: str, amount: int) -> None:
        """Bring fresh money into the bank; a multiple of the token's own quantum."""
        address, tokens = self._address[account], self._tokens(amount)
        self._operate(self._token, "mint", address, tokens)
        self._own(account, self._bank, "depositToBank", address, tokens)

    def withdraw(self, account: str, amount: int) -> None:
        """Take money out of the bank."""
        address, tokens = self._address[account], self._tokens(amount)
        self._own(account, self._bank, "withdrawFromBank", address, tokens)

    def _tokens(self, amount: int) -> int:
        tokens, rest = divmod(amount, self.terms.deposit_quantum)
        if rest:
            raise ValueError(f"{amount} is no multiple of the token's quantum")
        return tokens

    # Trading ----------------------------------------------------------------------------------

    def _order_words(self, order: c.Order) -> bytes:
        flags = order.is_buy * BUY | order.reduce_only * REDUCE_ONLY | order.salt << SALT_SHIFT
        return (
            flags.to_bytes(8, "big").ljust(32, b"\0")
            + word(order.quantity)
            + word(order.price)
            + word(order.trigger)
            + word(order.leverage)
            + word(int(self._address[order.account], 16))
            + word(order.expires)
        )

    def order_hash(self, order: c.Order) -> bytes:
        """The hash that the order's maker signs (EIP-712)."""
        inner = keccak(ORDER_SCHEMA + self._order_words(order))
        return bytes(keccak(b"\x19\x01" + self._domain + inner))

    def order_hash_on_chain(self, order: c.Order) -> bytes:
        """The same hash as the contract computes it."""
        method = self._trader.artefact.methods["getOrderHash"]
        return self._chain.send(OPERATOR, self._trader, method.selector + self._order_words(order))

    def _signature(self, order: c.Order) -> bytes:
        signed = self._signatures.get(order)
        if signed is None:
            key = self._key[order.account]
            raw = key.sign_recoverable(self.order_hash(order), hasher=None)
            if order.forged:
                raw = raw[:40] + bytes([raw[40] ^ 1]) + raw[41:]
            signed = (raw[:64] + bytes([raw[64] + 27, 0])).ljust(96, b"\0")
            self._signatures[order] = signed
        return signed

    def fill(self, fill: c.Fill) -> None:
        """Match two signed orders, as the settlement operator."""
        data = (
            self._order_words(fill.maker)
            + self._order_words(fill.taker)
            + word(fill.quantity)
            + word(fill.price)
            + self._signature(fill.maker)
            + self._signature(fill.taker)
        )
        self._trade(OPERATOR, self._trader, fill.maker.account, fill.taker.account, data, fill.gas)

    def cancel_order(self, order: c.Order) -> None:
        """Cancel an order for good, as its maker."""
        address = self._address[order.account]
        words = self._order_words(order)
        data = self._trader.artefact.methods["cancelOrder"].selector + words
        self._chain.send(address, self._trader, data)

    def liquidate(self, command: c.Liquidate) -> None:
        """Take over lots of an account at the oracle price, as the liquidator."""
        data = (
            word(command.quantity)
            + word(command.leverage)
            + word(command.is_buy)
            + word(command.all_or_nothing)
        )
        sender = self._address[command.by]
        self._trade(sender, self._liquidation, command.account, command.by, data)

    def deleverage(self, command: c.Deleverage) -> None:
        """Close lots of two accounts against each other, as the deleveraging operator."""
        data = word(command.quantity) + word(command.is_buy) + word(command.all_or_nothing)
        self._trade(OPERATOR, self._adl, command.maker, command.taker, data)

    def _trade(
        self, sender: str, trader: Contract, maker: str, taker: str, data: bytes, gas: int = 0
    ) -> None:
        """The perpetual's `trade` with the accounts in order and one trade."""
        names = sorted({maker, taker})
        charged = (gas,) if self.build == "arbitrum" else ()
        head = 32 * (2 + len(charged))
        trade = (
            word(names.index(taker))
            + word(names.index(maker))
            + word(int(trader.address, 16))
            + word(128)
            + word(len(data))
            + data
        )
        self._chain.send(
            sender,
            self._perpetual,
            self._perpetual.artefact.methods["trade"].selector
            + word(head)
            + word(head + 32 + 32 * len(names))
            + b"".join(map(word, charged))
            + word(len(names))
            + b"".join(word(int(self._address[name], 16)) for name in names)
            + word(1)
            + word(32)
            + trade,
        )

    # Prices, funding, time --------------------------------------------------------------------

    def set_oracle(self, price: int) -> None:
        """Publish an oracle price, as the oracle's operator."""
        if self.build == "boba":
            self._operate(self._oracle, "setPrice", MARKET_NAME, price, self._chain.now)
            return
        if price % FEED_QUANTUM:
            raise ValueError(f"{price} has more than the feed's eight decimals")
        self._operate(self._oracle, "setPrice", price)

    def set_funding(self, rate: int) -> None:
        """Accrue funding at the old rate up to now and set the rate per hour from now on."""
        self._operate(self._perpetual, "setOffChainFundingRate", rate)

    def set_funding_source(self, on_chain: bool) -> None:
        """Say where the funding rate comes from, as the guardian."""
        status = 0 if on_chain else 1
        self._operate(self._guardian, "setFundingRateStatus", self._funding.address, status)

    def sample_funding(self) -> None:
        """Accrue funding and set the rate from the trades since the last time, as anybody."""
        self._operate(self._perpetual, "setFundingRate")

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self._chain.advance(seconds)

    # Margin -----------------------------------------------------------------------------------

    def add_margin(self, account: str, amount: int) -> None:
        """Move free balance into the account's position."""
        self._own(account, self._perpetual, "addMargin", self._address[account], amount)

    def remove_margin(self, account: str, amount: int) -> None:
        """Move margin out of the account's position."""
        self._own(account, self._perpetual, "removeMargin", self._address[account], amount)

    def adjust_leverage(self, account: str, leverage: int) -> None:
        """Give the account's position the margin of another leverage at the oracle price."""
        self._own(account, self._perpetual, "adjustLeverage", self._address[account], leverage)

    # The end, the pools, the guardian ---------------------------------------------------------

    def delist(self, lowest: int, highest: int) -> None:
        """End trading at the oracle price, if that is within the bounds."""
        self._operate(self._perpetual, "delistPerpetual", lowest, highest)

    def close_position(self, account: str) -> None:
        """Take out what the position is worth at the delisting price."""
        self._own(account, self._perpetual, "closePosition", self._address[account])

    def collect_fees(self) -> None:
        """Move the fees that accrued in the perpetual to the fee pool (`arbitrum` only)."""
        if self.build == "boba":
            raise Reverted("this build pays fees out at every fill")
        self._operate(self._perpetual, "transferAccruedFee")

    def collect_gas(self) -> None:
        """Move the gas charges that accrued in the perpetual to the gas pool (`arbitrum`)."""
        if self.build == "boba":
            raise Reverted("this build charges no gas")
        self._operate(self._perpetual, "transferAccruedGas", GAS_POOL)

    def set_trading(self, allowed: bool) -> None:
        """Allow or halt trading, as the guardian."""
        status = 0 if allowed else 1
        self._operate(self._guardian, "setTradingStatus", self._perpetual.address, status)

    def set_withdrawals(self, allowed: bool) -> None:
        """Allow or halt withdrawals, as the guardian."""
        status = 0 if allowed else 1
        self._operate(self._guardian, "setWithdrawalStatus", self._bank.address, status)

    # Driving and looking ----------------------------------------------------------------------

    def apply(self, command: c.Command) -> str | None:
        """Carry a command out: None when it was accepted, else what the contracts said."""
        try:
            self._dispatch(command)
        except Reverted as refused:
            return refused.reason
        return None

    def _dispatch(self, command: c.Command) -> None:
        match command:
            case c.Deposit(account, amount):
                self.deposit(account, amount)
            case c.Withdraw(account, amount):
                self.withdraw(account, amount)
            case c.Fill():
                self.fill(command)
            case c.CancelOrder(order):
                self.cancel_order(order)
            case c.SetOracle(price):
                self.set_oracle(price)
            case c.SetFunding(rate):
                self.set_funding(rate)
            case c.SetFundingSource(on_chain):
                self.set_funding_source(on_chain)
            case c.SampleFunding():
                self.sample_funding()
            case c.Advance(seconds):
                self.advance(seconds)
            case c.Liquidate():
                self.liquidate(command)
            case c.Deleverage():
                self.deleverage(command)
            case c.AddMargin(account, amount):
                self.add_margin(account, amount)
            case c.RemoveMargin(account, amount):
                self.remove_margin(account, amount)
            case c.AdjustLeverage(account, leverage):
                self.adjust_leverage(account, leverage)
            case c.Delist(lowest, highest):
                self.delist(lowest, highest)
            case c.ClosePosition(account):
                self.close_position(account)
            case c.CollectFees():
                self.collect_fees()
            case c.CollectGas():
                self.collect_gas()
            case c.SetTrading(allowed):
                self.set_trading(allowed)
            case c.SetWithdrawals(allowed):
                self.set_withdrawals(allowed)

    def snapshot(self) -> Any:
        """A point to return to, once."""
        return self._chain.snapshot()

    def restore(self, point: Any) -> None:
        """Return to a point; it is used up."""
        self._chain.restore(point)

    def _numbers(self, contract: Contract, method: str, data: bytes = b"") -> list[int]:
        """The result of a view as the words it consists of, read as signed numbers."""
        selector = contract.artefact.methods[method].selector
        raw = self._chain.send(OPERATOR, contract, selector + data)
        return [int.from_bytes(raw[i : i + 32], "big", signed=True) for i in range(0, len(raw), 32)]

    def _balance(self, address: str) -> int:
        return self._numbers(self._bank, "getAccountBankBalance", word(int(address, 16)))[0]

    def _holding(self, account: str) -> Holding:
        data = word(int(self._address[account], 16))
        is_long, mro, quantity, margin, oi_open = self._numbers(
            self._perpetual, "getAccountBalance", data
        )
        index_time, index = self._numbers(self._perpetual, "getLocalIndex", data)
        return Holding(
            bank=self._balance(self._address[account]),
            quantity=quantity if is_long else -quantity,
            margin=margin,
            oi_open=oi_open,
            mro=mro,
            index=index,
            index_time=index_time,
        )

    def _oracle_price(self) -> int:
        if self.build == "arbitrum":
            return self._numbers(self._oracle, "latestAnswer")[0] * FEED_QUANTUM
        return int(self._chain.view(self._oracle, "getPrice", MARKET_NAME)[0])

    def observe(self) -> View:
        """Everything that the contracts show."""
        perpetual = self._perpetual
        index_time, index = self._numbers(perpetual, "globalIndex")
        _, _, sampled_sum, sampled_ratio = self._numbers(self._funding, "currentFundingWindow")
        pooled = self.build == "arbitrum"
        custody = self._numbers(self._token, "balanceOf", word(int(self._bank.address, 16)))[0]
        return View(
            accounts={name: self._holding(name) for name in self.accounts},
            perpetual=self._balance(perpetual.address),
            fee_pool=self._balance(FEE_POOL),
            insurance_pool=self._balance(INSURANCE_POOL),
            gas_pool=self._balance(GAS_POOL),
            accrued_fees=self._numbers(perpetual, "feePoolAccruedAmt")[0] if pooled else 0,
            accrued_gas=self._numbers(perpetual, "gasPoolAccruedAmt")[0] if pooled else 0,
            custody=custody * self.terms.deposit_quantum,
            index=index,
            index_time=index_time,
            sampled_sum=sampled_sum,
            sampled_ratio=sampled_ratio,
            rate=self._numbers(self._funding, "getFundingRate")[0],
            oracle=self._oracle_price(),
            delisted=bool(self._numbers(perpetual, "delisted")[0]),
            delisting_price=self._numbers(perpetual, "delistingPrice")[0],
            time=self._chain.now,
        )
