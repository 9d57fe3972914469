"""One whole check of an engine: smoke test, search, and the finding made small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from time import monotonic

from attrs import evolve, field, frozen

from perpref.checker.compare import Judge, Tally
from perpref.checker.engine import Connection, EngineFailure
from perpref.checker.finding import Case, Finding, Kind
from perpref.checker.minimise import Minimiser
from perpref.checker.reach import EXPECTED_EXAMPLES, Reach
from perpref.checker.search import Budget, Search, short_case
from perpref.checker.smoke import AdapterFault, smoke_test
from perpref.checker.stopwatch import Part, Stopwatch
from perpref.checker.variants import base_terms
from perpref.checker.wire import Hello, RefusedBy, Terms

FINDINGS = 7
"""So many findings are waited for before one of them is told: a fault shows in several ways, and
the rule that is blamed most often is the one that is broken."""

SHORT = 9
"""A finding with more commands than this is also looked for among short examples."""

SHORT_CASES = 3_000
SHORT_SECONDS = 10.0

Progress = Callable[[str, int, int], None]
"""Told what is being done, how far it is, and how many commands were carried out."""


@frozen
class Checked:
    """What a check came to. It conforms when there is neither a fault, nor a finding, nor
    anything that should have been reached and was not.

    `blamed` has the rules that all findings blamed, and how often.
    """

    hello: Hello | None
    base: Terms
    seed: int | None
    budget: Budget
    examples: int = 0
    commands: int = 0
    fault: AdapterFault | None = None
    found: tuple[Case, Finding] | None = None
    note: str = ""
    blamed: tuple[tuple[str, int], ...] = ()
    not_reached: tuple[str, ...] = ()
    tally: Tally = field(factory=Tally)
    reach: Reach = field(factory=Reach)
    seconds: dict[Part, float] = field(factory=dict)

    @property
    def insists_on_reach(self) -> bool:
        """Whether the search was long enough to be expected to reach everything."""
        return self.examples >= EXPECTED_EXAMPLES

    @property
    def conforms(self) -> bool:
        missing = self.not_reached and self.insists_on_reach
        return self.fault is None and self.found is None and not missing


def check(
    connection: Connection,
    plain: Terms,
    seed: int,
    budget: Budget,
    watch: Stopwatch,
    progress: Progress | None = None,
) -> Checked:
    """Check an engine under these terms and their neighbours. Raises CannotStart."""
    tell = progress or (lambda _what, _done, _commands: None)
    tell("smoke test", 0, 0)
    fault = smoke_test(connection, base_terms(plain))
    if fault is not None:
        return Checked(None, plain, seed, budget, fault=fault)
    hello = connection.hello()
    base = base_terms(plain, hello.chooses, hello.commands)
    reach = Reach()
    judge = Judge(hello.compare, watch=watch, watcher=reach.watch)
    search = Search(
        connection,
        judge,
        base,
        evolve(budget, findings=FINDINGS),
        hello.commands,
        reach,
        lambda examples, commands: tell("search", examples, commands),
    )
    findings = search.run(seed)
    checked = Checked(
        hello,
        base,
        seed,
        budget,
        search.examples,
        search.commands,
        blamed=tuple(Counter(found.rule for _, found in findings).most_common()),
        not_reached=tuple(reach.not_reached(hello.commands, base.rulebook.waterfall)),
        tally=judge.tally,
        reach=reach,
        seconds=watch.shares(),
    )
    if findings:
        tell("making it small", search.examples, search.commands)
        small, note = make_small(connection, hello, base, seed, *most_blamed(findings))
        return evolve(checked, found=small, note=note)
    return evolve(checked, found=_ends_well(connection, base))


def most_blamed(findings: Sequence[tuple[Case, Finding]]) -> tuple[Case, Finding]:
    """Of the findings with the rule that is blamed most often the one with the fewest commands.

    An engine that fails is told of before any rule.
    """
    failures = [found for found in findings if found[1].kind is Kind.FAILURE]
    if failures:
        return failures[0]
    often: Counter[tuple[str, str]] = Counter()
    for _, finding in findings:  # who refuses shows less than who acts
        often[finding.signature] += 1 if isinstance(finding.got, RefusedBy) else 2
    most = max(often, key=lambda signature: often[signature])
    alike = [found for found in findings if found[1].signature == most]
    return min(alike, key=lambda found: found[1].step)


def _ends_well(connection: Connection, base: Terms) -> tuple[Case, Finding] | None:
    """An engine must also stop when it is told to."""
    try:
        connection.close()
    except EngineFailure as failure:
        connection.kill()
        finding = Finding(
            Kind.FAILURE, "", failure.detail, 0, failure=failure.kind.value, stderr=failure.stderr
        )
        return Case(base, ()), finding
    return None


def make_small(
    connection: Connection,
    hello: Hello,
    base: Terms,
    seed: int,
    case: Case,
    finding: Finding,
) -> tuple[tuple[Case, Finding], str]:
    """The smallest case that shows the same on a fresh engine, and a note when there is none."""

    def examine(candidate: Case) -> Finding | None:
        return Judge(hello.compare).examine(connection, candidate)

    def examine_afresh(candidate: Case) -> Finding | None:
        connection.kill()
        return examine(candidate)

    small = Minimiser(examine, base).minimise(case, finding)
    if len(small[0].commands) > SHORT and finding.kind is not Kind.FAILURE:
        small = _shorter(hello, base, seed, small, examine)
    shown = examine_afresh(small[0])
    if shown is not None and shown.signature == finding.signature:
        connection.kill()
        return (small[0], shown), ""
    shown = examine_afresh(case)
    if shown is None or shown.signature != finding.signature:
        connection.kill()
        return (case, finding), (
            "On a fresh engine this does not show: the engine carries something over from one "
            "reset to the next, or is not deterministic."
        )
    small = Minimiser(examine_afresh, base).minimise(case, shown)
    connection.kill()
    return small, "This shows on a fresh engine only, not after a reset."


def _length(found: tuple[Case, Finding]) -> int:
    return len(found[0].commands)


def _shorter(
    hello: Hello,
    base: Terms,
    seed: int,
    small: tuple[Case, Finding],
    examine: Callable[[Case], Finding | None],
) -> tuple[Case, Finding]:
    """The same thing to blame, found in a short case and made small again, if that is less."""
    random, end = Random(seed), monotonic() + SHORT_SECONDS
    for _ in range(SHORT_CASES):
        if len(small[0].commands) <= SHORT or monotonic() > end:
            break
        case = short_case(random, base, hello.commands)
        found = examine(case)
        if found is not None and found.signature == small[1].signature:
            left = max(end - monotonic(), 1.0)
            again = Minimiser(examine, base, seconds=left).minimise(case, found)
            small = min(small, again, key=_length)
    return small


def replay(connection: Connection, case: Case, base: Terms, watch: Stopwatch) -> Checked:
    """Carry out one case on an engine."""
    try:
        hello = connection.hello()
    except EngineFailure as failure:
        connection.kill()
        fault = AdapterFault("does not start", str(failure), failure.stderr)
        return Checked(None, base, None, Budget(1), fault=fault)
    judge = Judge(hello.compare, watch=watch)
    finding = judge.examine(connection, case)
    found = (case, finding) if finding is not None else _ends_well(connection, base)
    connection.kill()
    return Checked(
        hello,
        base,
        None,
        Budget(1),
        1,
        len(case.commands),
        found=found,
        tally=judge.tally,
        seconds=watch.shares(),
    )
