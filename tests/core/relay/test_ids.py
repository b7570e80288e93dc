"""The id of a stream says where it is, and is a secret."""

import pytest

from gateway.relay.ids import Place, new_id, place_of, shown_id


def test_an_id_names_its_place() -> None:
    place = Place(worker=300, life=65535)
    assert place_of(new_id(place)) == place


def test_the_part_that_the_log_shows_leaves_128_random_bits() -> None:
    one, other = new_id(Place(1, 2)), new_id(Place(1, 2))
    assert one != other
    assert len(one) - len(shown_id(one)) == 128 // 4


@pytest.mark.parametrize("id", ["", "abc", "0" * 51, "0" * 53, "g" * 52, "0" * 52 + "\n", "é" * 52])
def test_anything_else_is_no_id(id: str) -> None:
    assert place_of(id) is None
