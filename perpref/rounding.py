"""UNIT-5: every division of the rules, its direction, and the theorem that needs it.

Two steps are choices of the rulebook. All others have the direction that their theorem needs: a
rulebook that states another is refused. Tests hold this list to the code and to the theorems.
"""

from __future__ import annotations

from attrs import frozen

from perpref.units import Rounding

UP, DOWN, ZERO = Rounding.UP, Rounding.DOWN, Rounding.TOWARDS_ZERO


@frozen
class Division:
    """A step that divides.

    `function` is where it does so, below `perpref.rules`. `directions` are the one that it has, or
    the ones between which the rulebook chooses by the key `choice`; `key` names a fixed one
    in the file of a rulebook. `dust` is what a rounding makes out at most, `owner` who
    has it, and `theorem` what would not hold otherwise.
    """

    step: str
    rule: str
    function: str
    directions: tuple[Rounding, ...]
    dust: str
    owner: str
    theorem: str
    choice: str = ""
    key: str = ""


def _fixed(
    key: str, rule: str, function: str, by: Rounding, dust: str, owner: str, theorem: str
) -> Division:
    step = key.replace("_", " ")
    return Division(step, rule, function, (by,), dust, owner, theorem, key=f"{key}_rounding")


A_QUANTUM, A_LOT, A_TICK, A_MILLIONTH = (
    f"less than a {unit}" for unit in ("quantum", "lot", "tick", "millionth")
)

DIVISIONS = (
    Division(
        "trading fee",
        "FEE-1",
        "fee.trading_fee",
        (UP, DOWN, ZERO),
        f"{A_QUANTUM} a fill",
        "who is paid when up, otherwise the trader",
        "a_fee_errs_by_less_than_a_quantum_in_its_own_direction",
        choice="fee_rounding",
    ),
    Division(
        "funding, at once",
        "FUND-2",
        "funding.funding_due",
        (UP, DOWN, ZERO),
        "less than n quanta over n accounts",
        "the vault: it gains when up, pays when down, either towards zero",
        "funding_leaves_the_vault_the_dust_and_no_more",
        choice="funding_rounding",
    ),
    Division(
        "funding, when touched",
        "FUND-9",
        "funding.funding_by_index",
        (UP, DOWN, ZERO),
        "at most a quantum a settlement, from funding at once",
        "the account when up, the vault when down, either towards zero",
        "index_and_settlement_part_by_at_most_a_quantum_a_settlement",
        choice="funding_rounding",
    ),
    _fixed(
        "receiver_part",
        "FUND-14",
        "funding.receiver_part",
        DOWN,
        f"{A_QUANTUM} a receiver",
        "the vault",
        "receivers_get_what_there_is_but_for_dust",
    ),
    _fixed(
        "premium_average",
        "FUND-5",
        "funding.average_premium",
        ZERO,
        A_MILLIONTH,
        "whoever would pay",
        "a_mean_of_premiums_favours_no_side",
    ),
    _fixed(
        "funding_index_step",
        "FUND-8",
        "funding.index_step",
        ZERO,
        f"{A_MILLIONTH} of a quantum a lot",
        "whoever would pay; none over whole periods",
        "an_index_moves_by_less_than_the_rate_says_by_less_than_one",
    ),
    _fixed(
        "released_cost",
        "POS-2",
        "position.closed",
        UP,
        A_QUANTUM,
        "the position that is left: profit is rounded down",
        "closing_realises_the_average_profit_rounded_down",
    ),
    _fixed(
        "maintenance_margin",
        "MRG-3",
        "margin.maintenance_margin",
        UP,
        A_QUANTUM,
        "nobody: it is needed, not paid",
        "a_margin_is_its_rate_of_notional_rounded_up",
    ),
    _fixed(
        "initial_margin",
        "MRG-4",
        "margin.initial_margin",
        UP,
        A_QUANTUM,
        "nobody: it is needed, not paid",
        "a_margin_is_its_rate_of_notional_rounded_up",
    ),
    _fixed(
        "scaled_rate",
        "MRG-7",
        "margin.scaled_rate",
        DOWN,
        A_MILLIONTH,
        "nobody: it is needed, not paid",
        "a_scaled_rate_is_never_above_its_line",
    ),
    _fixed(
        "mark_band",
        "MARK-2",
        "mark.clamped",
        DOWN,
        A_TICK,
        "nobody: the band is no wider than it says",
        "a_clamped_price_stays_within_its_band_of_the_index",
    ),
    _fixed(
        "basis_average",
        "MARK-4",
        "mark.averaged",
        ZERO,
        A_TICK,
        "nobody: the average stays nearer to what it was",
        "a_moving_average_favours_no_side",
    ),
    _fixed(
        "share_of_equity",
        "LIQ-4",
        "liquidation_equity.part_of_equity",
        DOWN,
        A_QUANTUM,
        "whoever is liquidated",
        "the_part_of_a_solvent_equity_is_not_more_than_it",
    ),
    _fixed(
        "margin_of_entry",
        "LIQ-21",
        "liquidation_equity.margin_of_entry",
        DOWN,
        A_QUANTUM,
        "whoever is liquidated",
        "with_just_its_own_margin_a_position_is_bankrupt_at_entry_less_initial_margin",
    ),
    _fixed(
        "liquidation_surplus",
        "FEE-9",
        "fee.surplus_taken",
        DOWN,
        A_QUANTUM,
        "whoever is liquidated",
        "the_vaults_part_of_a_surplus_is_rounded_down_and_within_what_is_left",
    ),
    _fixed(
        "bankruptcy_price",
        "LIQ-5",
        "liquidation.price_without",
        DOWN,
        f"{A_QUANTUM} a lot",
        "whoever is liquidated: up for a long, down for a short",
        "closing_without_a_share_costs_no_more_than_the_share",
    ),
    _fixed(
        "fillable_price",
        "LIQ-11",
        "liquidation.fillable_price",
        DOWN,
        f"{A_QUANTUM} a lot",
        "whoever is liquidated",
        "a_fillable_price_gives_away_no_more_than_its_part_of_the_margin",
    ),
    _fixed(
        "first_lots",
        "LIQ-10",
        "liquidation_size.first_lots",
        UP,
        A_LOT,
        "nobody: more is closed",
        "a_first_order_closes_something_and_never_more_than_there_is",
    ),
    _fixed(
        "buffer",
        "LIQ-12",
        "liquidation_size.with_buffer",
        UP,
        A_QUANTUM,
        "nobody: it is needed, not paid",
        "a_buffer_is_on_top_of_the_maintenance_margin",
    ),
    _fixed(
        "lots_of_tier",
        "LIQ-12",
        "liquidation_size.lots_of_tier",
        DOWN,
        A_LOT,
        "nobody: more is closed",
        "a_step_closes_something_and_leaves_the_tier",
    ),
    _fixed(
        "penalty",
        "LIQ-13",
        "liquidation_size.penalty",
        UP,
        A_QUANTUM,
        "whoever is paid the penalty",
        "a_penalty_is_no_more_than_the_margin_that_is_freed",
    ),
    _fixed(
        "lots_of_share",
        "LIQ-13",
        "liquidation_size.lots_of_share",
        UP,
        A_LOT,
        "nobody: more is closed",
        "a_share_leaves_less_than_a_quantum_above_its_part_of_a_margin",
    ),
    _fixed(
        "auction_limit",
        "LIQ-14",
        "liquidation_time.offered_limit",
        ZERO,
        A_TICK,
        "whoever is liquidated: the limit stays nearer to the mark",
        "an_auction_gives_as_much_away_for_a_long_as_for_a_short",
    ),
    _fixed(
        "liquidator_fee",
        "VLT-9",
        "liquidator.liquidator_price",
        DOWN,
        f"{A_QUANTUM} a lot",
        "whoever is liquidated",
        "a_liquidator_pays_the_mark_less_no_more_than_its_fee",
    ),
    _fixed(
        "volunteer_edge",
        "VLT-10",
        "volunteers.edge_in_ticks",
        DOWN,
        A_TICK,
        "whoever is liquidated",
        "a_volunteer_is_assigned_no_further_from_the_mark_than_the_venue_says",
    ),
    _fixed(
        "vault_shares",
        "VLT-13",
        "vault_shares.shares_for",
        DOWN,
        "less than a share",
        "those who have shares",
        "a_contribution_costs_those_who_have_shares_nothing",
    ),
    _fixed(
        "vault_redemption",
        "VLT-14",
        "vault_shares.worth_of",
        DOWN,
        A_QUANTUM,
        "those who stay",
        "a_redemption_costs_those_who_stay_nothing",
    ),
    _fixed(
        "bearable_lots",
        "ADL-4",
        "adl.bearable",
        DOWN,
        A_LOT,
        "the counterparty",
        "what_is_bearable_is_never_refused",
    ),
    _fixed(
        "adl_part",
        "ADL-10",
        "adl_sharing.whole_part",
        DOWN,
        f"{A_LOT} each",
        "those with the largest remainders close it",
        "rounding_parts_down_leaves_fewer_lots_than_parts",
    ),
    _fixed(
        "adl_part_in_turn",
        "ADL-8",
        "adl_sharing.part_in_proportion",
        UP,
        f"{A_LOT} each",
        "those later in turn close fewer",
        "the_first_in_proportion_closes_no_less_than_its_part",
    ),
    _fixed(
        "adl_margin",
        "ADL-13",
        "liquidation.margin_transferred",
        DOWN,
        A_QUANTUM,
        "whoever is liquidated, or the counterparty of who has nothing left",
        "margin_that_goes_along_is_a_part_of_what_there_is",
    ),
    _fixed(
        "loss_share",
        "LOSS-3",
        "loss.share_of_loss",
        UP,
        A_QUANTUM,
        "those who are asked later pay less",
        "a_larger_weight_never_pays_less",
    ),
    _fixed(
        "loss_per_lot",
        "LOSS-7",
        "loss.charge_per_lot",
        UP,
        f"{A_QUANTUM} a lot",
        "those who are asked later pay less",
        "a_charge_on_every_lot_covers_the_loss_and_less_than_a_quantum_more_on_each",
    ),
    _fixed(
        "backed_profit",
        "LOSS-9",
        "loss.paid_gain",
        DOWN,
        f"{A_QUANTUM} a winner",
        "the deficit: the cut is rounded up",
        "profits_that_are_not_backed_are_cut_alike_and_never_more_paid_than_there_is",
    ),
    _fixed(
        "withdrawal_cut",
        "LOSS-8",
        "ledger.paid_out",
        DOWN,
        A_QUANTUM,
        "the vault",
        "a_pot_that_lacks_cash_pays_every_claim_its_part",
    ),
)
"""The divisions that move cash, lots or a price, or judge by one: every step of the machine."""


COUNTS = frozenset(
    {
        "adl.queue_indicator",
        "adl_margin.bearable_lots",
        "adl_sharing.weight_of_winner",
        "adl_sharing.first_of_walk",
        "admission.require_on_tick",
        "admission.band_of",
        "book.is_on_tick",
        "fee.insurance_fee_rate",
        "funding.premium",
        "funding.impact_notional",
        "funding.margin_cap",
        "liquidation_inverse.on_tick",
        "liquidation_size.lots_to_cover",
        "liquidation_time.auction_step",
        "liquidation_time.capped_lots",
        "liquidation_time.freed_by_now",
        "liquidation_time.lots_within",
        "loss_trigger.borne_by_winners",
        "loss_trigger.fund_floor",
        "vault.fund_delta",
    }
)
"""What divides besides: a score, a step of time, a bound, or a formula that no action asks."""

CHOSEN = tuple(division for division in DIVISIONS if division.choice)
FIXED = tuple(division for division in DIVISIONS if not division.choice)
