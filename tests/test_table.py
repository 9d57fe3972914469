"""The persistent table: the same as a dictionary, except that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpref.table import Table

KEYS = st.integers(0, 12)
CHANGES = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers(-9, 9))))


@given(CHANGES)
def test_a_table_is_a_dictionary_of_which_every_version_stays(
    changes: list[tuple[int, int | None]],
) -> None:
    table: Table[int, int] = Table()
    twin: dict[int, int] = {}
    versions = [(table, dict(twin))]
    for key, value in changes:
        if value is None:
            table = table.without(key)
            twin.pop(key, None)
        else:
            table = table.put(key, value)
            twin[key] = value
        versions.append((table, dict(twin)))
    for version, expected in versions:
        assert dict(version.items()) == expected
        assert list(version) == sorted(expected)
        assert [key for key, _ in version.items()] == sorted(expected)
        assert len(version) == len(expected)
        assert version == Table(expected.items())
        assert hash(version) == hash(Table(expected.items()))
        assert version.total(lambda value: 3 * value) == 3 * sum(expected.values())
        assert version.total_against(version, lambda a, b: a * b) == sum(
            value * value for value in expected.values()
        )
        for key in range(13):
            assert (key in version) == (key in expected)
            assert version.get(key, 77) == expected.get(key, 77)


def test_a_missing_key_is_an_error() -> None:
    with pytest.raises(KeyError):
        Table([(1, 2)])[2]


def test_taking_out_what_is_not_there_gives_the_same_table() -> None:
    table = Table([(1, 2)])
    assert table.without(2) is table


def test_tables_differ_by_value() -> None:
    assert Table([(1, 2)]) != Table([(1, 3)])
    assert Table([(1, 2)]) != {1: 2}


def test_it_shows_its_entries_in_order() -> None:
    assert repr(Table([(2, 20), (1, 10)])) == "Table([(1, 10), (2, 20)])"


def test_total_against_asks_the_other_table_by_key() -> None:
    held, prices = Table([(1, 3), (2, 5)]), Table([(1, 10), (2, 100), (3, 1_000)])
    assert held.total_against(prices, lambda lots, price: lots * price) == 530
