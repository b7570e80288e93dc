"""What a server has signed is collected as it was sent, however its stream is cut."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.parts import BlockPiece, Signed
from gateway.core.thought_log import ThoughtLog
from gateway.core.thoughts import MAX_THOUGHT_CHARS, decode_record, encode_record
from gateway.upstreams.chat_reader import ChatReader
from gateway.upstreams.signed import SignedReader
from tests.core.scripted import DONE, delta, finish, lines


def text_block(text: str, index: int, **more: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": text, "index": index, **more}


def encrypted(data: str, index: int) -> dict[str, Any]:
    return {"type": "reasoning.encrypted", "data": data, "index": index}


def record_of(*reads: list[bytes]) -> Any:
    reader, log = ChatReader(), ThoughtLog(send="always")
    for part in [part for read in reads for part in reader.feed(read)]:
        if isinstance(part, Signed):
            log.add_signed(part)
        elif type(part).__name__ == "Reasoning":
            log.add(part.text)  # type: ignore[union-attr]
    return log.record()


@given(
    texts=st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=8),
    signs=st.booleans(),
    cuts=st.sets(st.integers(1, 40)),
    mirrors=st.booleans(),
)
def test_blocks_are_whole_however_the_stream_is_cut(
    texts: list[str], signs: bool, cuts: set[int], mirrors: bool
) -> None:
    frames: list[Any] = []
    for at, text in enumerate(texts):
        half = len(text) // 2
        for piece in filter(None, (text[:half], text[half:])):
            mirror = {"reasoning": piece} if mirrors else {}
            frames.append(delta(**mirror, reasoning_details=[text_block(piece, at)]))
        if signs:
            frames.append(delta(reasoning_details=[text_block("", at, signature=f"s{at}")]))
    frames += [delta(reasoning_details=[encrypted("ZW5j", len(texts))]), finish("stop"), DONE]
    all_lines = lines(*frames)
    edges = [0, *sorted(cut for cut in cuts if cut < len(all_lines)), len(all_lines)]
    reads = [all_lines[a:b] for a, b in pairwise(edges)]
    signed = [{"signature": f"s{at}"} if signs else {} for at in range(len(texts))]
    expected = [text_block(text, at, **signed[at]) for at, text in enumerate(texts)]
    record = record_of(*reads)
    assert record.blocks == {"reasoning_details": [*expected, encrypted("ZW5j", len(texts))]}
    assert record.readable_text == "".join(texts)
    assert decode_record(encode_record(record)) == record


def test_the_oldest_blocks_go_where_all_are_too_long() -> None:
    log = ThoughtLog()
    for index in range(5):
        block = encrypted(str(index) * (MAX_THOUGHT_CHARS // 4), index)
        log.add_signed(Signed([BlockPiece("reasoning_details", block, 0, False)]))
    kept = [block["index"] for block in log.record().blocks["reasoning_details"]]
    assert kept == [2, 3, 4]


def test_a_signed_text_is_kept_whole_or_not_at_all() -> None:
    log = ThoughtLog()
    block = {"type": "reasoning.text", "signature": "s"}
    log.add_signed(Signed([BlockPiece("reasoning_details", block, 0, False)]))
    log.add("a" * (MAX_THOUGHT_CHARS + 1))
    record = log.record()
    assert record.blocks == {}
    assert record.text == "a" * MAX_THOUGHT_CHARS


def test_the_oldest_signatures_of_calls_go_where_all_are_too_long() -> None:
    log = ThoughtLog()
    for index in range(5):
        log.add_calls([{"index": index, "id": f"c{index}", "extra_content": "s" * 30_000}])
    assert list(log.record().calls) == ["c3", "c4"]


@pytest.mark.parametrize(
    ("deltas", "blocks"),
    [
        (  # LiteLLM's blocks have no index: a signature ends each
            [("a", None), ("b", None), ("", "s"), ("c", None)],
            [("ab", "s"), ("c", None)],
        ),
        ([("a", "s"), ("b", "t")], [("a", "s"), ("b", "t")]),
    ],
)
def test_blocks_without_an_index_end_with_their_signatures(deltas: Any, blocks: Any) -> None:
    log, reader = ThoughtLog(), SignedReader()
    for text, signature in deltas:
        block = {"type": "thinking", "thinking": text, "signature": signature}
        if (signed := reader.read({"thinking_blocks": [block]})) is not None:
            log.add_signed(signed)
        log.add(text)
    found = log.record().blocks["thinking_blocks"]
    assert [(block["thinking"], block["signature"]) for block in found] == blocks
