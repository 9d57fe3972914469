"""Files that people write: the shipped ones can be used, and each mistake is one exact line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from perpref.checker.files import HOMES, BadInput, read_document, shipped
from perpref.checker.rulebook_file import load_rulebook, load_venue
from perpref.checker.scenario_file import load_scenario
from perpref.checker.toml_lines import line_of, lines_of
from perpref.checker.wire import MarketTerms
from perpref.state import Chooser, Rulebook, Stage
from perpref.units import MarketId

RULEBOOKS = Path(__file__).parents[2] / "spec" / "rulebooks"
SHIPPED = ", ".join(sorted({path.stem for path in RULEBOOKS.glob("*.toml")} - {"bluefin"}))
"""Bluefin's is a file of its own kind, and of its own adapter."""

SCENARIO = """\
title = "Two traders"
rulebook = "textbook"
market = "BTC"

[accounts]
ann = "buys"
ben = "sells"

[[step]]
deposit = { account = "ann", amount = 1_000 }

[[step]]
place = { account = "ann", side = "buy", lots = 1, price = 6_000, name = "bid" }

[[step]]
cancel = { account = "ann", order = "bid" }

[expect]
equity = { ann = 1_000 }
"""

RULEBOOK = """\
name = "mine"
title = "Mine"
maker_fee = { value = 200, source = "me", status = "chosen" }
taker_fee = { value = 500, source = "me", status = "chosen" }
liquidation_fee = { value = 10_000, source = "me", status = "chosen" }
funding_cap = { value = 7_500, source = "me", status = "chosen" }
vault_boundary = { value = 0, source = "me", status = "chosen" }
counterparty = { value = "rulebook", source = "me", status = "chosen" }
price = { value = "rulebook", source = "me", status = "chosen" }

[waterfall]
value = ["book", "vault", "deleverage", "residual"]
source = "me"
status = "chosen"

[market.GOLD]
id = 1
initial_rate = { value = 100_000, source = "me", status = "chosen" }
maintenance_rate = { value = 50_000, source = "me", status = "chosen" }
vault_cap = { value = 100, source = "me", status = "chosen" }
mark = { value = 1_000, source = "me", status = "chosen" }
"""

SHORTHAND = {
    "<cash>": "an integer from 1 to 1_000_000_000_000_000_000_000_000",
    "<price>": "an integer from 1 to 1_000_000_000_000",
    "<fee>": "an integer from 0 to 100_000",
    "<sum>": "an integer from -1_000_000_000_000_000_000_000_000_000_000 "
    "to 1_000_000_000_000_000_000_000_000_000_000",
    "<commands>": "one of deposit, withdraw, transfer, isolate, place, cancel, set_mark, "
    "settle_funding, unwind, sample_premium, settle_premium, settle_market, advance_clock, "
    "set_index, pause_market, resume_market, replace, contribute_to_vault, "
    "redeem_from_vault, request_redemption, recapitalise, recall_capital, liquidate, volunteer",
    "<waterfall>": "some of book, vault, volunteers, deleverage, residual, in this order, "
    "residual last",
    "<stages>": "one of book, vault, volunteers, deleverage, residual",
    "<accounts>": "one of vault, treasury, ann, ben",
    "<top>": "one of title, prose, incident, rulebook, override, market, accounts, step, expect",
}
"""Parts of messages that come often."""

AMOUNT = "amount = 1_000"
CANCEL = 'cancel = { account = "ann", order = "bid" }'
EQUITY = "equity = { ann = 1_000 }"
WATERFALL = 'value = ["book", "vault", "deleverage", "residual"]'

# What is written, what is written instead, and the line and the message.

WRONG_SCENARIOS = [
    (
        AMOUNT,
        "amount = 1.5",
        "10: step[1].deposit.amount: a floating-point number (1.5); <cash> [UNIT-1]",
    ),
    (
        AMOUNT,
        "amount = 1e3",
        "10: step[1].deposit.amount: a floating-point number (1000.0); <cash> [UNIT-1]",
    ),
    (AMOUNT, "amount = true", "10: step[1].deposit.amount: not an integer (true); <cash> [UNIT-1]"),
    (
        AMOUNT,
        'amount = "1000"',
        '10: step[1].deposit.amount: not an integer ("1000"); <cash> [UNIT-1]',
    ),
    (AMOUNT, "amount = 0", "10: step[1].deposit.amount: out of bounds (0); <cash> [UNIT-2]"),
    (AMOUNT, "amount = -5", "10: step[1].deposit.amount: out of bounds (-5); <cash> [UNIT-2]"),
    (
        AMOUNT,
        "amount = 1_000_000_000_000_000_000_000_001",
        (
            "10: step[1].deposit.amount: out of bounds (1_000_000_000_000_000_000_000_001); <cash> "
            "[UNIT-2]"
        ),
    ),
    (
        AMOUNT,
        "amount = inf",
        "10: step[1].deposit.amount: a floating-point number (inf); <cash> [UNIT-1]",
    ),
    (
        AMOUNT,
        "amount = 2026-11-23",
        "10: step[1].deposit.amount: not an integer (2026-11-23); <cash> [UNIT-1]",
    ),
    (
        AMOUNT,
        "amuont = 1",
        "10: step[1].deposit.amuont: unknown key; did you mean amount? one of account, amount",
    ),
    (
        'account = "ann", amount',
        'account = "anne", amount',
        (
            '10: step[1].deposit.account: no such account ("anne"); did you mean ann? <accounts> '
            "[LED-4]"
        ),
    ),
    (", amount = 1_000", "", "10: step[1].deposit.amount: missing; <cash>"),
    (
        'account = "ann", amount',
        "account = 2, amount",
        "10: step[1].deposit.account: not an account (2); <accounts> [LED-4]",
    ),
    (
        'side = "buy"',
        'side = "bid"',
        '13: step[2].place.side: no such side ("bid"); one of buy, sell [BOOK-6]',
    ),
    (
        "lots = 1,",
        "lots = 1_000_000_000_001,",
        "13: step[2].place.lots: out of bounds (1_000_000_000_001); <price> [UNIT-2]",
    ),
    ("price = 6_000", "price = 0", "13: step[2].place.price: out of bounds (0); <price> [UNIT-2]"),
    (
        "price = 6_000",
        'price = 6_000, kind = "gtd"',
        (
            '13: step[2].place.kind: no such kind ("gtd"); one of limit, post_only, ioc, market, '
            "fok [BOOK-6]"
        ),
    ),
    (
        "price = 6_000",
        'price = 6_000, kind = "market"',
        "13: step[2].place.price: a market order names no price (6_000); no price [BOOK-6]",
    ),
    (", price = 6_000", "", "13: step[2].place.price: missing; <price>"),
    (
        "price = 6_000",
        'price = 6_000, market = "BCT"',
        (
            '13: step[2].place.market: no such market ("BCT"); did you mean BTC? one of BTC, ETH '
            "[MARK-1]"
        ),
    ),
    (
        "price = 6_000",
        "price = 6_000, reduce_only = 1",
        "13: step[2].place.reduce_only: not a flag (1); true or false",
    ),
    (
        'order = "bid"',
        'order = "bod"',
        '16: step[3].cancel.order: no such order ("bod"); did you mean bid? one of bid [BOOK-10]',
    ),
    (
        "cancel = {",
        "cancle = {",
        "16: step[3].cancle: unknown key; did you mean cancel?",
    ),
    (CANCEL, 'say = "nothing"', "15: step[3]: no command; <commands>"),
    (
        CANCEL,
        "unwind = {}\nset_mark = { price = 1 }",
        "15: step[3]: more than one command, unwind, set_mark; <commands>",
    ),
    (CANCEL, "cancel = []", "16: step[3].cancel: no command ([]); a table, or a list of tables"),
    (CANCEL, "unwind = 3", "16: step[3].unwind: not a table (3); a table of keys and values"),
    (
        CANCEL,
        "settle_funding = { rate = 1_000_001 }",
        (
            "16: step[3].settle_funding.rate: out of bounds (1_000_001); an integer from "
            "-1_000_000 to 1_000_000 [FUND-1]"
        ),
    ),
    (
        CANCEL,
        'transfer = { payer = "ann", payee = "ben", amount = 5.0 }',
        "16: step[3].transfer.amount: a floating-point number (5.0); <cash> [UNIT-1]",
    ),
    (
        CANCEL,
        'set_mark = { price = 5 }\nexpect.stages = ["boook"]',
        (
            '17: step[3].expect.stages[1]: no such stage ("boook"); did you mean book? <stages> '
            "[LIQ-7]"
        ),
    ),
    (
        CANCEL,
        'unwind = {}\nexpect.refused = "nothing_to_redcue"',
        (
            '17: step[3].expect.refused: no such refusal code ("nothing_to_redcue"); did you mean '
            "nothing_to_reduce?"
        ),
    ),
    (
        CANCEL,
        'unwind = [{}, {}]\nexpect.refused = "nothing_to_reduce"',
        (
            '17: step[3].expect.refused: which of the commands is refused? ("nothing_to_reduce"); '
            "a step of its own"
        ),
    ),
    (
        CANCEL,
        'place = { account = "ann", side = "buy", lots = 1, price = 1, name = "bid" }',
        '16: step[3].place.name: the name of an order that is there already ("bid"); a new name',
    ),
    (CANCEL, 'say = ""\nunwind = {}', '16: step[3].say: empty (""); a text in quotes'),
    (
        "equity = { ann",
        "equity = { anna",
        "19: expect.equity.anna: no such account; did you mean ann? <accounts> [LED-4]",
    ),
    (
        EQUITY,
        "equity = { ann = 1.0 }",
        "19: expect.equity.ann: a floating-point number (1.0); <sum> [UNIT-1]",
    ),
    (
        EQUITY,
        'refused = "not_due"',
        (
            "19: expect.refused: unknown key; one of stages, liquidated, equity, collateral, "
            "position, custody, paid, filled, held, broke"
        ),
    ),
    (
        EQUITY,
        "position.BTX = { ann = 1 }",
        "19: expect.position.BTX: no such market; did you mean BTC? one of BTC, ETH [MARK-1]",
    ),
    (
        EQUITY,
        'paid = [\n  { payer = "ann", payee = "ben", amount = 1, rule = "FEE-99" },\n]',
        (
            '20: expect.paid[1].rule: no such rule ("FEE-99"); the rule of an event, such as '
            "BOOK-3, ADL-3 or LOSS-3"
        ),
    ),
    (EQUITY, "equity = 5", "19: expect.equity: not a table (5); a table of keys and values"),
    (EQUITY, 'stages = "book"', '19: expect.stages: not a list ("book"); a list'),
    (
        'rulebook = "textbook"',
        'rulebook = "txtbook"',
        (
            '2: rulebook: no such rulebook ("txtbook"); did you mean textbook? one of '
            f"{SHIPPED}; or the path of a file"
        ),
    ),
    (
        'rulebook = "textbook"',
        'rulebook = "mine.toml"',
        '2: rulebook: no such file ("mine.toml"); a path from where this file is',
    ),
    (
        'rulebook = "textbook"',
        'ruelbook = "textbook"',
        "2: ruelbook: unknown key; did you mean rulebook? <top>",
    ),
    ('title = "Two traders"\n', "", "1: title: missing; a text in quotes"),
    (
        'market = "BTC"',
        'market = "btc"',
        '3: market: no such market ("btc"); one of BTC, ETH [MARK-1]',
    ),
    ('market = "BTC"\n', "", "12: step[2].place.market: missing; one of BTC, ETH"),
    ('ben = "sells"', 'vault = "sells"', "7: accounts.vault: is always there and is not declared"),
    (
        'ben = "sells"',
        '"b n" = "sells"',
        (
            '7: accounts."b n": not a name for an account; a letter, then letters, digits, _ and '
            "-, at most 16 in all"
        ),
    ),
    ('ben = "sells"', "ben = 3", "7: accounts.ben: not a text (3); a text in quotes"),
    ('ben = "sells"', 'ann = "again"', "7: not TOML: Cannot overwrite a value"),
    ("[accounts]", "[acounts]", "5: acounts: unknown key; did you mean accounts? <top>"),
    ("[expect]", "[expect", "18: not TOML: Expected ']' at the end of a table declaration"),
    (
        "[expect]",
        "[override]\ntaker_fee = 0.5\n\n[expect]",
        "19: override.taker_fee: a floating-point number (0.5); <fee> [UNIT-1]",
    ),
    (
        "[expect]",
        "[override.market.BTC]\nmark = 0\n\n[expect]",
        "19: override.market.BTC.mark: out of bounds (0); <price> [UNIT-2]",
    ),
    (
        "[expect]",
        "[override.market.BTC]\nmaintenance_rate = 200_000\n\n[expect]",
        (
            "19: override.market.BTC.maintenance_rate: more than the initial rate of 100_000 "
            "(200_000); an integer from 1 to 100_000 [MRG-4]"
        ),
    ),
    (
        "[expect]",
        "[override.market.GOLD]\nid = 3\n\n[expect]",
        "18: override.market.GOLD.initial_rate: missing; an integer from 1 to 1_000_000",
    ),
    (
        "[expect]",
        '[override]\nwaterfall = ["residual", "book"]\n\n[expect]',
        '19: override.waterfall[2]: a stage after residual ("book"); <waterfall> [LIQ-7]',
    ),
    ("[expect]", "[[stp]]\n\n[expect]", "18: stp: unknown key; did you mean step? <top>"),
]

WRONG_RULEBOOKS = [
    (
        "value = 200",
        "value = 200.0",
        "3: maker_fee.value: a floating-point number (200.0); <fee> [UNIT-1]",
    ),
    ("value = 200", "value = true", "3: maker_fee.value: not an integer (true); <fee> [UNIT-1]"),
    ("value = 200", 'value = "200"', '3: maker_fee.value: not an integer ("200"); <fee> [UNIT-1]'),
    ("value = 200", "value = -1", "3: maker_fee.value: out of bounds (-1); <fee> [FEE-2]"),
    (
        "value = 200",
        "value = 100_001",
        "3: maker_fee.value: out of bounds (100_001); <fee> [FEE-2]",
    ),
    (
        "value = 500",
        "value = 100_001",
        "4: taker_fee.value: out of bounds (100_001); <fee> [FEE-3]",
    ),
    (
        "value = 10_000",
        "value = 100_001",
        "5: liquidation_fee.value: out of bounds (100_001); <fee> [FEE-4]",
    ),
    (
        "value = 7_500",
        "value = -1",
        "6: funding_cap.value: out of bounds (-1); an integer from 0 to 1_000_000 [FUND-1]",
    ),
    (
        "value = 0,",
        "value = -1,",
        (
            "7: vault_boundary.value: out of bounds (-1); an integer from 0 to "
            "1_000_000_000_000_000_000_000_000 [VLT-4]"
        ),
    ),
    (
        '{ value = 200, source = "me", status = "chosen" }',
        "200",
        (
            '3: maker_fee: a value without its source (200); { value = …, source = "…", status = '
            "one of published, inferred, unpublished, chosen }"
        ),
    ),
    ("value = 200, ", "", "3: maker_fee.value: missing; <fee>"),
    ('source = "me", ', "", "3: maker_fee.source: missing; where the value can be read"),
    (
        'status = "chosen"',
        'status = "rumour"',
        (
            '3: maker_fee.status: no such status ("rumour"); one of published, inferred, '
            "unpublished, chosen"
        ),
    ),
    ('source = "me"', 'source = ""', '3: maker_fee.source: empty (""); a text in quotes'),
    (
        'source = "me"',
        'source = "me", note = "x"',
        "3: maker_fee.note: unknown key; one of value, source, status",
    ),
    (WATERFALL, "value = []", "12: waterfall.value: no stages ([]); <waterfall> [LIQ-7]"),
    (
        WATERFALL,
        'value = ["book", "book", "residual"]',
        '12: waterfall.value[2]: a stage that is there already ("book"); <waterfall> [LIQ-7]',
    ),
    (
        WATERFALL,
        'value = ["vault", "book", "residual"]',
        '12: waterfall.value[2]: a stage after vault ("book"); <waterfall> [LIQ-7]',
    ),
    (
        WATERFALL,
        'value = ["book", "vault"]',
        '12: waterfall.value: does not end with residual (["book", "vault"]); <waterfall> [LIQ-7]',
    ),
    (
        WATERFALL,
        'value = ["boook", "residual"]',
        '12: waterfall.value[1]: no such stage ("boook"); did you mean book? <stages> [LIQ-7]',
    ),
    (WATERFALL, 'value = "book"', '12: waterfall.value: not a list ("book"); a list'),
    (
        'value = "rulebook"',
        'value = "exchange"',
        '8: counterparty.value: no such chooser ("exchange"); one of rulebook, engine [ADL-5]',
    ),
    (
        'price = { value = "rulebook"',
        "price = { value = 7",
        "9: price.value: not a chooser (7); one of rulebook, engine [BOOK-3]",
    ),
    (
        "value = 50_000",
        "value = 0",
        (
            "19: market.GOLD.maintenance_rate.value: out of bounds (0); an integer from 1 to "
            "1_000_000 [MRG-3]"
        ),
    ),
    (
        "value = 50_000",
        "value = 100_001",
        (
            "19: market.GOLD.maintenance_rate.value: more than the initial rate of 100_000 "
            "(100_001); an integer from 1 to 100_000 [MRG-4]"
        ),
    ),
    (
        "value = 100_000",
        "value = 1_000_001",
        (
            "18: market.GOLD.initial_rate.value: out of bounds (1_000_001); an integer from 1 to "
            "1_000_000 [MRG-4]"
        ),
    ),
    (
        "value = 100,",
        "value = -1,",
        (
            "20: market.GOLD.vault_cap.value: out of bounds (-1); an integer from 0 to "
            "1_000_000_000_000 [VLT-2]"
        ),
    ),
    (
        "value = 1_000,",
        "value = 1_000_000_000_001,",
        "21: market.GOLD.mark.value: out of bounds (1_000_000_000_001); <price> [UNIT-2]",
    ),
    ("id = 1\n", "", "16: market.GOLD.id: missing; an integer from 0 to 1_000_000_000_000_000_000"),
    (
        "id = 1",
        "id = 1.0",
        (
            "17: market.GOLD.id: a floating-point number (1.0); an integer from 0 to "
            "1_000_000_000_000_000_000 [UNIT-1]"
        ),
    ),
    (
        "id = 1",
        "id = -1",
        (
            "17: market.GOLD.id: out of bounds (-1); an integer from 0 to "
            "1_000_000_000_000_000_000 [UNIT-4]"
        ),
    ),
    (
        "vault_cap",
        "vaultcap",
        (
            "20: market.GOLD.vaultcap: unknown key; did you mean vault_cap? one of id, "
            "initial_rate, maintenance_rate, vault_cap, mark, tiers, scaled_from, scaled_to, "
            "least_notional, price_band, tick, vault, vault_boundary, due_at_maintenance"
        ),
    ),
    (
        "maker_fee",
        "makerfee",
        ("3: makerfee: unknown key; did you mean maker_fee?"),
    ),
    (
        'taker_fee = { value = 500, source = "me", status = "chosen" }\n',
        "",
        (
            '1: taker_fee: missing; { value = …, source = "…", status = one of published, '
            "inferred, unpublished, chosen }"
        ),
    ),
    ('name = "mine"\n', "", "1: name: missing; a text in quotes"),
    ("[market.GOLD]", "[market]", "17: market.id: not a table (1); a table of keys and values"),
    ('title = "Mine"', "title = Mine", "2: not TOML: Invalid value"),
]


def spoilt(folder: Path, text: str, old: str, new: str) -> str:
    """A file with one mistake in it."""
    assert old in text
    path = folder / "wrong.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return str(path)


def in_full(path: str, message: str) -> str:
    for short, long in SHORTHAND.items():
        message = message.replace(short, long)
    return f"{path}:{message}"


@pytest.mark.parametrize(("old", "new", "message"), WRONG_SCENARIOS)
def test_a_wrong_scenario_is_one_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = spoilt(tmp_path, SCENARIO, old, new)
    with pytest.raises(BadInput) as raised:
        load_scenario(path)
    assert str(raised.value) == in_full(path, message)


@pytest.mark.parametrize(("old", "new", "message"), WRONG_RULEBOOKS)
def test_a_wrong_rulebook_is_one_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = spoilt(tmp_path, RULEBOOK, old, new)
    with pytest.raises(BadInput) as raised:
        load_venue(path)
    assert str(raised.value) == in_full(path, message)


def test_what_is_spoilt_is_otherwise_right(tmp_path: Path) -> None:
    for name, text in (("scenario.toml", SCENARIO), ("rulebook.toml", RULEBOOK)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert load_scenario(str(tmp_path / "scenario.toml")).title == "Two traders"
    venue = load_venue("rulebook.toml", tmp_path)
    assert venue.rulebook == Rulebook(
        name="mine",
        maker_fee=200,
        taker_fee=500,
        liquidation_fee=10_000,
        funding_cap=7_500,
        vault_boundary=0,
        waterfall=tuple(stage for stage in Stage if stage is not Stage.VOLUNTEERS),
        counterparty=Chooser.RULEBOOK,
        price=Chooser.RULEBOOK,
    )
    assert venue.terms == {MarketId(1): MarketTerms(100_000, 50_000, 100, 1_000)}
    assert venue.markets == {"GOLD": 1}
    assert venue.sources["market.GOLD.mark"].source == "me"


def test_two_markets_have_two_identifiers(tmp_path: Path) -> None:
    start = RULEBOOK.index("[market.GOLD]")
    twice = RULEBOOK + RULEBOOK[start:].replace("GOLD", "SILVER")
    path = tmp_path / "twice.toml"
    path.write_text(twice, encoding="utf-8")
    with pytest.raises(BadInput) as raised:
        load_venue(str(path))
    assert str(raised.value) == (
        f"{path}:23: market.SILVER.id: the identifier of GOLD (1); one of its own [UNIT-4]"
    )
    path.write_text(RULEBOOK[:start], encoding="utf-8")
    with pytest.raises(BadInput, match=r":1: market: missing; a table \[market.NAME\]"):
        load_venue(str(path))


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("9" * 5_000, "10: a number of too many digits [UNIT-2]"),
        (
            "0x" + "f" * 5_000,
            "10: step[1].deposit.amount: out of bounds (more than 60 digits); <cash> [UNIT-2]",
        ),
    ],
    ids=["decimal", "hexadecimal"],
)
def test_numbers_without_end(number: str, message: str, tmp_path: Path) -> None:
    path = spoilt(tmp_path, SCENARIO, AMOUNT, f"amount = {number}")
    with pytest.raises(BadInput) as raised:
        load_scenario(path)
    assert str(raised.value) == in_full(path, f" {message}".replace(" ", "", 1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ":1: title: missing; a text in quotes"),
        (b"title = 'x'\nprose = '\xff'\n", ":2: not UTF-8 text"),
        (b"[" * 100_000, ": not TOML: too deep a nesting"),
        (b"#" * (1 << 20) + b"#", ": too large (1048577 bytes); at most 1048576"),
        (b'title = "\n', ":1: not TOML: Illegal character '\\n'"),
        (b"title = ", ":1: not TOML: Invalid value"),
    ],
    ids=["empty", "latin", "deep", "large", "torn", "cut"],
)
def test_what_is_no_toml(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_bytes(b"a = " + content if content.startswith(b"[") else content)
    with pytest.raises(BadInput) as raised:
        load_scenario(str(path))
    assert str(raised.value) == f"{path}{message}"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for name, message in (
        (str(tmp_path / "none.toml"), f"{tmp_path}/none.toml: cannot be read: No such file"),
        (f"{tmp_path}/", f"{tmp_path}: cannot be read: Is a directory"),
        ("overbooked-fligth", "overbooked-fligth: no such scenario; did you mean overbooked-fli"),
        ("", '"": no such scenario; one of calm-day, '),
    ):
        with pytest.raises(BadInput) as raised:
            load_scenario(name)
        assert str(raised.value).startswith(message)
    with pytest.raises(BadInput) as raised:
        load_rulebook("textbok")
    assert str(raised.value) == (
        f"textbok: no such rulebook; did you mean textbook? one of {SHIPPED}; or the path of a file"
    )


def test_a_mistake_in_the_rulebook_of_a_scenario_is_told_of_the_rulebook(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(RULEBOOK.replace("= 200", "= 2.0"), encoding="utf-8")
    path = spoilt(tmp_path, SCENARIO, '"textbook"', '"mine.toml"')
    with pytest.raises(BadInput) as raised:
        load_scenario(path)
    assert str(raised.value) == (
        f"{tmp_path}/mine.toml:3: maker_fee.value: a floating-point number (2.0); "
        "an integer from 0 to 100_000 [UNIT-1]"
    )


def test_the_textbook() -> None:
    venue = load_venue("textbook")
    assert load_rulebook("textbook") == venue.rulebook
    assert set(Stage) - set(venue.rulebook.waterfall) == {Stage.VOLUNTEERS}
    assert set(venue.markets) == {"BTC", "ETH"}
    assert {source.status for source in venue.sources.values()} == {"chosen"}
    assert len(venue.sources) == 13 + 2 * 4
    exchange = venue.as_terms.opened()
    assert exchange.rulebook == venue.rulebook
    assert exchange.markets[venue.markets["BTC"]].mark == 6_000
    assert ", ".join(shipped("rulebooks")) == SHIPPED


def test_a_scenario_changes_its_rulebook_and_adds_a_market(tmp_path: Path) -> None:
    changes = """
[override]
taker_fee = 7
waterfall = ["book", "residual"]

[override.market]
BTC = { mark = 50 }
GOLD = { id = 9, initial_rate = 2, maintenance_rate = 1, vault_cap = 0, mark = 3 }

[expect]"""
    scenario = load_scenario(spoilt(tmp_path, SCENARIO, "[expect]", changes))
    plain = load_venue("textbook")
    venue = scenario.venue
    assert venue.rulebook.taker_fee == 7
    assert venue.rulebook.waterfall == (Stage.BOOK, Stage.RESIDUAL)
    assert venue.rulebook.maker_fee == plain.rulebook.maker_fee
    assert venue.terms[MarketId(1)] == MarketTerms(100_000, 50_000, 10_000, 50)
    assert venue.terms[MarketId(2)] == plain.terms[MarketId(2)]
    assert venue.terms[MarketId(9)] == MarketTerms(2, 1, 0, 3)
    assert scenario.changes[:2] == ("taker_fee 7", "waterfall book > residual")


# Lines.

NASTY = '''
# a comment with [brackets] and "quotes
"a b" = 1
"c\\u0041" = [ 1, # one ]
  [2, 3],
  { x = "}", y = { z = """
a
]""" } },
]
d.e."f g" = \'it " is\'
h = """ three \\""" quotes
"""" # one of them belongs to it
i = \'\'\'
[not.a.table]
\'\'\'
t = 1979-05-27 07:32:00

[ j . "k l" ]
m = true
n.o = 1

[[p]]
q = 1
[p.r]
s = 1
[[p.u]]
v = 1
[[p]]
[[p.u]]
v = 2
[[p.u]]
v = 3'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a b",), 3),
        (("cA",), 4),
        (("cA", 0), 4),
        (("cA", 1), 5),
        (("cA", 1, 1), 5),
        (("cA", 2), 6),
        (("cA", 2, "x"), 6),
        (("cA", 2, "y", "z"), 6),
        (("d", "e", "f g"), 10),
        (("h",), 11),
        (("i",), 13),
        (("t",), 16),
        (("j",), 18),
        (("j", "k l"), 18),
        (("j", "k l", "m"), 19),
        (("j", "k l", "n", "o"), 20),
        (("p",), 22),
        (("p", 0, "q"), 23),
        (("p", 0, "r", "s"), 25),
        (("p", 0, "u", 0, "v"), 27),
        (("p", 1), 28),
        (("p", 1, "u", 0, "v"), 30),
        (("p", 1, "u", 1, "v"), 32),
    ],
)
def test_the_line_of_a_value(path: tuple[str | int, ...], line: int) -> None:
    assert lines_of(NASTY)[path] == line


def test_the_line_of_what_is_not_there_is_that_of_what_is_around_it() -> None:
    lines = lines_of(NASTY)
    assert line_of(lines, ("p", 0, "r", "missing", "more")) == 24
    assert line_of(lines, ("missing",)) == 1
    assert ("not",) not in lines


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every path in what tomllib has read."""
    found = [path] if path else []
    if isinstance(value, dict):
        return found + [p for key, below in value.items() for p in paths_of(below, (*path, key))]
    if isinstance(value, list):
        return found + [p for at, below in enumerate(value) for p in paths_of(below, (*path, at))]
    return found


@pytest.mark.parametrize("name", ["nasty", *shipped("scenarios"), *shipped("rulebooks")])
def test_every_value_has_a_line_and_its_key_stands_on_it(name: str) -> None:
    path = {**shipped("scenarios"), **shipped("rulebooks")}.get(name)
    text = NASTY if path is None else read_document(path).text
    lines, rows = lines_of(text), text.split("\n")
    paths = paths_of(tomllib.loads(text))
    assert set(paths) == set(lines)
    for keys in paths:
        word = keys[-1]
        if isinstance(word, str) and word != "cA":
            assert word in rows[lines[keys] - 1]


@pytest.mark.parametrize("kind", HOMES)
def test_a_wheel_gets_what_people_read(kind: str) -> None:
    root = Path(__file__).parents[2]
    assert (root / "perpref" / kind).resolve() == root.joinpath(*HOMES[kind])
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert f"{kind}/*.toml" in settings["tool"]["setuptools"]["package-data"]["perpref"]
