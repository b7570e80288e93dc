"""The numbers of a text, in whatever spelling."""

import pytest

from gateway.core.summarizers.numbers import numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,250.50 and 1.250,5", {"1250.5"}),
        ("1,5 and 15", {"1.5", "15"}),
        ("the list 1,2,3", {"1", "2", "3"}),
        ("007, 0.50 and 12.0", {"7", "0.5", "12"}),
        ("version 3.11.2", {"3.11.2"}),
        ("sixty-one; two hundred and fifty; five, six and seven", {"61", "250", "5", "6", "7"}),
        ("two thousand three hundred and four, one of them", {"2304"}),
        ("3 million, dozens", {"3", "1000000", "12"}),
        ("二百五十，两个，一些，二〇二六年，三万五千", {"250", "2", "2026", "35000"}),
        ("١٢ and ３", {"12", "3"}),
    ],
)
def test_numbers_have_one_spelling(text: str, expected: set[str]) -> None:
    assert numbers(text) == expected
