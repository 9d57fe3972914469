"""The laws that Bluefin's exchange is held to, and the judge that puts them to its numbers.

After every command the engine's own numbers are put to these laws:

- *conservation*: the balances in the bank add up to the tokens that the bank holds;
- *balance*: signed positions add up to zero, while the market is listed;
- *backing*: no command changes by more than dust what the perpetual holds beyond the accrued fees
  and gas charges and all equities together, where an account under water counts as a debt. A
  command that lowers it has given away money that backs somebody's claim;
- *custody of fees*: the perpetual holds at least the fees and gas charges that accrued in it;
- *exit*: who has something left can get it out: a trade is not refused because the perpetual
  cannot pay, a final withdrawal is not refused, and pays what the position is worth;
- *closing*: an account under water can be closed against a solvent counterparty.

An open position under water is no break by itself: it is what liquidation and deleveraging are
for.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from perpref.adapters.bluefin import commands as c
from perpref.adapters.bluefin.commands import ONE, shown
from perpref.adapters.bluefin.view import Holding, View

LAWS = {
    "conservation": "the balances in the bank add up to the tokens that it holds",
    "balance": "long and short positions add up to zero, while the market is listed",
    "backing": "no command gives away what backs a claim: equities, debts deducted, and charges",
    "custody of fees": "the perpetual holds the fees and gas charges that accrued in it",
    "exit": "nobody is kept from what is theirs because the perpetual cannot pay, or by a panic",
    "closing": "an account under water can be closed against a solvent counterparty",
}
"""The laws in a sentence each."""

DUST = 10**9
"""What counts as dust in one command, in quanta: a thousand-millionth of one unit of cash."""

UNBACKED = "an unbacked claim"
DELIBERATE = "a deliberate rule that leaves a claim unbacked"
LEFT_OVER = "money that nobody can claim"
LOCKED = "money that cannot be got out"
SPENT = "charges that are spent before they are collected"

GRAVITY = (UNBACKED, DELIBERATE, LOCKED, SPENT, LEFT_OVER)
"""What kinds of break there are, the gravest first."""

ADL_PARTS = 10_000
"""A deleveraging lets off a loss of up to one part in so many, of a unit of cash per unit."""


@frozen
class Meaning:
    """What a break is, in a sentence, and what it takes beside the accounts that trade."""

    verdict: str
    says: str
    needs: str


OPERATOR = "the settlement operator"
DELEVERAGER = "the deleveraging operator"
OWNER = "the owner, who delists"

MEANINGS = {
    ("backing", "BF-LIQ-11"): Meaning(
        UNBACKED,
        "An account that liquidates itself is paid the premium, as the insurance pool is, out of "
        "the margins of the others, and keeps its position and its margin: it can do so again.",
        "nobody: whoever is below maintenance margin sends it, unless the owner has named that "
        "account as one that cannot be liquidated",
    ),
    ("balance", "BF-ORD-10"): Meaning(
        UNBACKED,
        "Two orders of one side are matched: both accounts hold the position, and nobody the "
        "other side of it.",
        OPERATOR + ", who matches them",
    ),
    ("backing", "BF-FND-8"): Meaning(
        DELIBERATE,
        "A short that owes more funding than its margin, and than its entry value, is let off what "
        "is beyond the entry value when it is deleveraged; those to whom it is due keep the claim.",
        DELEVERAGER + ", and funding that nobody settled for long",
    ),
    ("backing", "BF-ADL-7"): Meaning(
        DELIBERATE,
        "A counterparty of a deleveraging that loses up to 0.0001 per unit more than its margin "
        "is let off that, and the account under water is closed as if it had been paid.",
        DELEVERAGER,
    ),
    ("backing", "BF-END-2"): Meaning(
        UNBACKED,
        "Funding accrues on after delisting, while accounts leave one by one: those who stay come "
        "to be owed what those who left do not pay.",
        OWNER + ", and a funding rate other than zero at that moment",
    ),
    ("exit", "BF-END-6"): Meaning(
        DELIBERATE,
        "Bad debt at delisting is not shared: who leaves first is paid in full, who leaves last "
        "gets what there is.",
        OWNER + " while an account is under water",
    ),
    ("exit", "BF-POS-1"): Meaning(
        LOCKED,
        "What is paid in at opening is rounded another way than the margin that it becomes; so "
        "the last to leave is refused, for some quanta.",
        OPERATOR,
    ),
    ("custody of fees", "BF-POS-1"): Meaning(
        SPENT,
        "What is paid in at opening is rounded another way than the margin that it becomes; the "
        "last to leave is paid those quanta out of the fees that accrued.",
        OPERATOR,
    ),
    ("exit", "BF-BANK-5"): Meaning(
        LOCKED,
        "A winner cannot close at the market: the perpetual does not hold its profit, because the "
        "loser is under water. It can once a liquidator has taken the loss over; a deleveraging "
        "closes it too, and pays it what the loser had.",
        "a gap of the oracle price beyond a bankruptcy price",
    ),
    ("custody of fees", "BF-BANK-5"): Meaning(
        SPENT,
        "A winner is paid out of the fees and gas charges that accrued in the perpetual, because "
        "the loser is under water.",
        "a gap of the oracle price beyond a bankruptcy price",
    ),
    ("exit", "BF-FND-5"): Meaning(
        LOCKED,
        "Who owes more funding than it has margin cannot leave after delisting, however large its "
        "profit; and after delisting no margin can be added.",
        OWNER + ", and funding that nobody settled for long",
    ),
    ("exit", "BF-ARI-1"): Meaning(
        LOCKED,
        "A short whose entry value funding has eaten up cannot leave after delisting: the final "
        "withdrawal divides by its entry price, which is zero.",
        DELEVERAGER + " and " + OWNER,
    ),
    ("exit", "BF-ARI-2"): Meaning(
        LOCKED,
        "Nobody can leave after delisting, once the perpetual holds less than the charges that "
        "accrued in it: the final withdrawal ends in an arithmetic panic. Once somebody brings "
        "money for the perpetual, it pays what is beyond those charges.",
        OWNER + ", after a winner was paid out of the accrued fees",
    ),
    ("closing", "BF-POS-3"): Meaning(
        LOCKED,
        "An account under water cannot be deleveraged against anybody: its bankruptcy price is "
        "rounded, it seems to lose one quantum more than its margin there, and is refused.",
        DELEVERAGER,
    ),
}
"""What to make of a break, by the law and by the rule that the command met."""

UNKNOWN = Meaning(UNBACKED, "Nobody has explained this yet.", "unknown")


def equity(view: View, name: str) -> int:
    """What an account could claim from its position: margin, profit, and pending funding."""
    holding = view.accounts[name]
    if holding.quantity == 0:
        return 0
    price = view.delisting_price if view.delisted else view.oracle
    value = holding.quantity * price // ONE
    entry = holding.oi_open if holding.quantity > 0 else -holding.oi_open
    return holding.margin + value - entry - pending_funding(view, holding)


def pending_funding(view: View, holding: Holding) -> int:
    """Funding that a position owes and has not settled."""
    if holding.index_time == view.index_time:
        return 0
    return (view.index - holding.index) * holding.quantity // ONE


def owed(view: View) -> int:
    """Accrued charges and all equities together, debts deducted: what the perpetual must hold."""
    equities = sum(equity(view, name) for name in view.accounts)
    return view.accrued_fees + view.accrued_gas + equities


def surplus(view: View) -> int:
    """What the perpetual holds beyond accrued charges and all equities together."""
    return view.perpetual - owed(view)


def debts(view: View) -> int:
    """What the accounts under water owe."""
    return -sum(min(equity(view, name), 0) for name in view.accounts)


@frozen
class Break:
    """A law that a command broke."""

    law: str
    rule: str
    amount: int
    detail: str

    @property
    def verdict(self) -> str:
        """What kind of break it is."""
        return LEFT_OVER if self.amount < -DUST else self.meaning.verdict

    @property
    def meaning(self) -> Meaning:
        """What it is in words."""
        return MEANINGS.get(self.key, UNKNOWN)

    @property
    def key(self) -> tuple[str, str]:
        """What makes two breaks the same."""
        return self.law, self.rule


def judge(
    was: View, now: View, command: c.Command, accepted: bool, rules: Sequence[str]
) -> list[Break]:
    """The laws that a command broke, given the engine's state before and after it.

    `rules` are those that the command exercised, or the one that refused it.
    """
    if not accepted:
        return _judge_refusal(was, command, rules)
    found = []
    if now.bank_total() != now.custody:
        found.append(Break("conservation", "", now.custody - now.bank_total(), "balances differ"))
    tilt = _tilt(now)
    if tilt and not now.delisted:
        if tilt != _tilt(was):
            rule = "BF-ORD-10" if "BF-ORD-10" in rules else ""
            detail = f"positions add up to {shown(tilt)}"
            found.append(Break("balance", rule, abs(tilt), detail))
        return found
    lost = surplus(was) - surplus(now)
    if abs(lost) > DUST and not isinstance(command, c.ClosePosition):
        rule = _blame(command, now.delisted, lost, rules)
        found.append(Break("backing", rule, lost, _backing(lost)))
    accrued = now.accrued_fees + now.accrued_gas
    if now.perpetual < accrued and was.perpetual >= was.accrued_fees + was.accrued_gas:
        missing = accrued - now.perpetual
        detail = f"{shown(missing)} of the accrued charges is gone"
        rule = "BF-POS-1" if missing <= DUST else "BF-BANK-5"
        found.append(Break("custody of fees", rule, missing, detail))
    if isinstance(command, c.ClosePosition):
        found += _judge_exit(was, now, command)
    return found


def _tilt(view: View) -> int:
    """What the signed positions add up to."""
    return sum(holding.quantity for holding in view.accounts.values())


def _backing(lost: int) -> str:
    if lost > 0:
        return f"{shown(lost)} that backed a claim is gone"
    return f"{shown(-lost)} is left over that nobody can claim"


def _blame(command: c.Command, delisted: bool, lost: int, rules: Sequence[str]) -> str:
    """The rule that explains a loss, or none."""
    for rule in ("BF-LIQ-11", "BF-FND-8"):
        if rule in rules:
            return rule
    if delisted:
        return "BF-END-2"
    if isinstance(command, c.Deleverage) and 0 < lost <= command.quantity // ADL_PARTS + DUST:
        return "BF-ADL-7"
    return ""


def _judge_exit(was: View, now: View, command: c.ClosePosition) -> list[Break]:
    """A final withdrawal pays what the position is worth."""
    worth = equity(evolve(was, index=now.index, index_time=now.index_time), command.account)
    paid = now.accounts[command.account].bank - was.accounts[command.account].bank
    short = max(worth, 0) - paid
    found = []
    if short > DUST:
        detail = f"{command.account} is owed {shown(worth)} and gets {shown(paid)}"
        found.append(Break("exit", "BF-END-6", short, detail))
    moved = surplus(was) - surplus(evolve(was, index=now.index, index_time=now.index_time))
    if abs(moved) > DUST:
        found.append(Break("backing", "BF-END-2", moved, _backing(moved)))
    return found


def _judge_refusal(was: View, command: c.Command, rules: Sequence[str]) -> list[Break]:
    """A refusal that keeps somebody from money that is theirs, or keeps a debt open."""
    rule = rules[0] if rules else ""
    if isinstance(command, c.ClosePosition) and was.delisted:
        worth = equity(was, command.account)
        if was.accounts[command.account].quantity and worth > DUST:
            detail = f"{command.account} cannot get {shown(worth)} out"
            return [Break("exit", rule, worth, detail)]
    if rule == "BF-BANK-5" and _is_at_market(was, command):
        return _judge_poverty(was)
    if isinstance(command, c.Deleverage) and rule == "BF-POS-3":
        maker, taker = was.accounts[command.maker], was.accounts[command.taker]
        settled = all(pending_funding(was, holding) == 0 for holding in (maker, taker))
        if settled and taker.quantity and _rounding_stands_in_the_way(maker, taker):
            return [Break("closing", rule, 1, "one quantum of rounding refuses the deleveraging")]
    return []


def _is_at_market(was: View, command: c.Command) -> bool:
    """Whether a trade or a change of margin is one that the market has no reason to refuse."""
    if isinstance(command, c.Fill):
        return abs(command.price - was.oracle) * 100 <= was.oracle
    return isinstance(command, c.Liquidate | c.Deleverage | c.RemoveMargin | c.AdjustLeverage)


def _judge_poverty(was: View) -> list[Break]:
    """The perpetual cannot pay: because a loser has not paid yet, or because of rounding."""
    short = -surplus(was)
    bad = debts(was)
    if bad <= DUST and 0 < short <= DUST:
        return [Break("exit", "BF-POS-1", short, f"the perpetual is short of {short} quanta")]
    if bad <= DUST:
        return []
    holds = shown(was.perpetual)
    detail = f"the perpetual holds {holds} and cannot pay, while {shown(bad)} is owed to it"
    return [Break("exit", "BF-BANK-5", bad, detail)]


def _rounding_stands_in_the_way(maker: Holding, taker: Holding) -> bool:
    """Whether the counterparty is solvent at the exact bankruptcy price of the maker."""
    side = 1 if maker.quantity > 0 else -1
    debt = maker.oi_open - side * maker.margin
    value = debt * abs(taker.quantity) // abs(maker.quantity)
    return taker.margin + side * (taker.oi_open - value) > 10**6
