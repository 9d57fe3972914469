"""The chain in process and the exchange on it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tests.adapters.needed")

from eth_abi.abi import encode

from perpref.adapters import bluefin
from perpref.adapters.bluefin import chain
from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.commands import ONE, Order
from perpref.adapters.bluefin.engine import Engine, signing_keys
from perpref.adapters.bluefin.terms import published_terms
from tests.adapters.bluefin_play import Play, table_terms


@pytest.fixture
def engine(build: str, folder: Path) -> Engine:
    return bluefin.open_engine(build, folder)


def test_both_builds_open_and_no_other(folder: Path) -> None:
    assert bluefin.ENGINE == "bluefin"
    assert bluefin.builds() == ("arbitrum", "boba")
    with pytest.raises(ValueError, match="there is no build 'sui'"):
        bluefin.open_engine("sui", folder)


def test_a_revert_is_reduced_to_what_the_contract_said() -> None:
    text = "Insufficient account funds: 0x15d34aaf...0a2c6a65"
    said = chain.ERROR_STRING + bytes(encode(["string"], [text]))
    assert chain.reason_of(said) == "Insufficient account funds"
    assert chain.reason_of(chain.PANIC + (0x12).to_bytes(32, "big")) == "Panic(0x12)"
    assert chain.reason_of(bytes.fromhex("deadbeef")) == "0xdeadbeef"
    assert chain.reason_of(b"") == "no reason"


def test_a_refusal_is_typed_and_short(engine: Engine) -> None:
    with pytest.raises(chain.Reverted) as caught:
        engine.withdraw("alice", ONE)
    assert caught.value.reason == "ERC20: transfer amount exceeds balance"
    assert engine.apply(c.AddMargin("alice", 1)) == "P14"


def test_the_clock_only_goes_on(engine: Engine) -> None:
    before = engine.observe().time
    engine.advance(7)
    assert engine.observe().time == before + 7
    with pytest.raises(ValueError, match="does not go back"):
        engine.advance(-1)


def test_a_snapshot_brings_everything_back(engine: Engine) -> None:
    engine.deposit("alice", 5 * ONE)
    before, point = engine.observe(), engine.snapshot()
    engine.deposit("alice", ONE)
    engine.advance(10)
    engine.set_oracle(1_510 * ONE)
    assert engine.observe() != before
    engine.restore(point)
    assert engine.observe() == before


def test_an_order_is_hashed_as_the_contract_hashes_it(engine: Engine) -> None:
    order = Order("cat", True, 3 * ONE, 7 * ONE, 2 * ONE, True, 11, 12, 13)
    assert engine.order_hash(order) == engine.order_hash_on_chain(order)


def test_names_and_addresses_have_one_order() -> None:
    keys = signing_keys(8)
    assert [address for address, _ in keys] == sorted(address for address, _ in keys)
    assert keys == signing_keys(8)


def test_two_engines_that_hear_the_same_show_the_same(build: str, folder: Path) -> None:
    views = []
    for _ in range(2):
        play = Play(build, folder, published_terms(build))
        play.fund(("alice", "bob"), 10_000)
        play.trade("alice", "bob", 2, 1_500, 3)
        views.append(play.seen)
    assert views[0] == views[1]


def test_amounts_below_a_quantum_are_a_misuse(engine: Engine) -> None:
    with pytest.raises(ValueError, match="quantum"):
        engine.deposit("alice", 1)
    if engine.build == "arbitrum":
        with pytest.raises(ValueError, match="eight decimals"):
            engine.set_oracle(1)


def test_the_figures_of_the_notes(build: str, folder: Path) -> None:
    """Alice 10 long at 4x, cat 10 short at 1x, 2% fees, half of the premium insured."""
    terms = table_terms(
        build,
        initial_margin=ONE // 10,
        maintenance_margin=ONE // 16,
        taker_fee=ONE // 50,
        insurance_share=ONE // 2,
    )
    play = Play(build, folder, terms)
    play.fund(("alice", "bob"), 2_000)
    play.fund(("cat", "dog"), 5_000)
    play.trade("alice", "bob", 10, 100, 4)
    play.trade("cat", "dog", -10, 100, 1)
    accounts = play.seen.accounts
    alice, cat = accounts["alice"], accounts["cat"]
    assert (alice.quantity, alice.margin, alice.bank) == (10 * ONE, 250 * ONE, 1_730 * ONE)
    assert (cat.quantity, cat.margin, cat.bank) == (-10 * ONE, 1_000 * ONE, 3_980 * ONE)
    close = c.Deleverage("alice", "cat", 10 * ONE, False, True)
    play.tell(c.SetOracle(755 * ONE // 10))
    reason = "IsolatedADL: Cannot deleverage since maker is not underwater"
    assert play.refusal(close) == reason
    point, state = play.engine.snapshot(), play.state
    play.tell(c.SetOracle(70 * ONE), close)
    assert play.seen.accounts["alice"].bank == 1_730 * ONE
    assert play.seen.accounts["cat"].bank == 5_230 * ONE
    assert play.seen.insurance_pool == 0
    play.engine.restore(point)
    play.state = state
    play.tell(c.SetOracle(79 * ONE), c.Liquidate("alice", "cat", 10 * ONE, ONE, True))
    assert play.seen.accounts["cat"].bank == 5_210 * ONE
    assert play.seen.insurance_pool == 20 * ONE
