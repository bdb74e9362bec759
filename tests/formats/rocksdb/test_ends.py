"""Where a block ends that no index names, told from its content: held against blocks that real encoders made."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator
from random import Random

import cramjam
import lz4.block
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from inspector.formats.rocksdb import codecs, ends
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.ends import Meter

RICH = 10**9  # nanoseconds: more than any of these costs
BEFORE, BEHIND = b"\x07\x99\x03" * 11, b"\x00\x5a\x11\x22\x33\x00\x09\x01" * 9
HASH, ESCAPED = 1 << 31, 1 << 30


def meter(left: int = RICH) -> Meter:
    return Meter(left)


def entries(count: int, interval: int = 4, value: int = 20) -> tuple[bytes, list[int]]:
    """Entries of a data block and its restarts: shared and unshared bytes of the key, length of the value."""
    out, restarts, before = bytearray(), [], b""
    for number in range(count):
        key = b"key-%06d" % (number * 37) + bytes(8)
        shared = 0
        if number % interval == 0:
            restarts.append(len(out))
        else:
            shared = next((k for k in range(len(key)) if key[k] != before[k]), len(key))
        rest = key[shared:]
        out += put_varint(shared) + put_varint(len(rest)) + put_varint(value) + rest + b"v" * value
        before = key
    return bytes(out), restarts


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def block(count: int, interval: int = 4, value: int = 20, flags: int = 0) -> bytes:
    body, restarts = entries(count, interval, value)
    return body + words(*restarts, len(restarts) | flags)


def around(data: bytes) -> tuple[bytes, int, int]:
    """The bytes among others, where they begin, and where they end."""
    return BEFORE + data + BEHIND, len(BEFORE), len(BEFORE) + len(data)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 40])
@pytest.mark.parametrize("value", [0, 20, 127, 128, 20_000])
def test_entries_run_on_to_the_restarts_and_their_count_ends_the_block(count: int, value: int) -> None:
    data, start, end = around(block(count, value=value))
    assert ends.plain(data, start, len(data), meter()) == end
    assert ends.plain(data, start, end, meter()) == end
    assert ends.plain(data, start, end - 1, meter()) is None
    assert ends.plain(data, start, len(data), meter(0)) is None


@pytest.mark.parametrize("flags", [1 << 28, 1 << 29, ESCAPED | 1 << 28, HASH | ESCAPED])
def test_of_the_flags_of_the_last_word_only_some_can_be(flags: int) -> None:
    data, start, end = around(block(9, flags=flags))
    known = flags in (1 << 28, 1 << 29)
    assert (ends.plain(data, start, len(data), meter()) == end) is known


@pytest.mark.parametrize("buckets", [2, 9, 200])
def test_a_hash_index_stands_between_the_restarts_and_their_count(buckets: int) -> None:
    body, restarts = entries(40)
    index = bytes(1 + n % 10 for n in range(buckets)) + buckets.to_bytes(2, "little")
    data, start, end = around(body + words(*restarts) + index + words(len(restarts) | HASH))
    assert ends.plain(data, start, len(data), meter()) == end
    wrong = bytes(1 + n % 10 for n in range(buckets)) + (buckets + 1).to_bytes(2, "little")
    data, start, _ = around(body + words(*restarts) + wrong + words(len(restarts) | HASH))
    assert ends.plain(data, start, len(data), meter()) is None


def test_entries_that_share_more_than_there_was_are_none() -> None:
    body, restarts = entries(3)
    second = len(entries(1)[0])
    assert body[second] <= 18
    for shared, holds in ((body[second], True), (18, True), (19, False)):
        changed = body[:second] + bytes([shared]) + body[second + 1 :]
        data, start, end = around(changed + words(*restarts, len(restarts)))
        assert (ends.plain(data, start, len(data), meter()) == end) is holds


def test_restarts_rise_and_none_lies_behind_the_entries() -> None:
    body, _ = entries(8)
    second = len(entries(4)[0])
    good = words(0, second, 2)
    assert ends.restarts_end(body + good, len(body), 10**6, len(body), meter()) == len(body) + 12
    last = words(0, len(body), 2)
    assert ends.restarts_end(body + last, len(body), 10**6, len(body), meter()) == len(body) + 12
    for restarts in ((0, len(body) + 1, 2), (0, 0, 2), (1, 5, 7)):
        assert ends.restarts_end(body + words(*restarts), len(body), len(body) + 12, len(body), meter()) is None


def test_a_block_of_keys_that_add_nothing_ends_the_patience_for_such_bytes() -> None:
    key = b"k" * 16
    first = b"\0" + put_varint(len(key)) + b"\1" + key + b"v"
    for alike, found in ((999, True), (1000, False)):
        body = first + b"\x10\0\1v" * alike
        data, start, end = around(body + words(0, 1))
        left = meter()
        assert (ends.plain(data, start, len(data), left) == end) is found
        assert (left.left < RICH // 4) is not found


def delta_entries(count: int, interval: int) -> tuple[bytes, list[int]]:
    """An index block: the value is a handle where the key shares nothing, else how much its size differs."""
    out, restarts, before = bytearray(), [], b""
    for number in range(count):
        key = b"index-%06d" % (number * 1001) + bytes(8)
        shared = 0
        if number % interval == 0:
            restarts.append(len(out))
        else:
            shared = next(k for k in range(len(key)) if key[k] != before[k])
        out += put_varint(shared) + put_varint(len(key) - shared) + key[shared:]
        out += put_varint(4000 * number) + put_varint(4100) if not shared else put_varint(2 * (number % 90))
        before = key
    return bytes(out), restarts


@pytest.mark.parametrize("interval", [1, 2, 16])
@pytest.mark.parametrize("count", [1, 3, 33])
def test_an_index_of_deltas_has_no_length_of_its_values(count: int, interval: int) -> None:
    body, restarts = delta_entries(count, interval)
    data, start, end = around(body + words(*restarts, len(restarts)))
    assert ends.delta_index(data, start, len(data), meter()) == end
    assert ends.delta_index(data, start, end - 1, meter()) is None
    assert ends.delta_index(data, start, len(data), meter(0)) is None


RNG = Random(11)
CONTENTS = {
    "short": b"abcdefgh" * 2, "noise of 14": RNG.randbytes(14), "noise of 15": RNG.randbytes(15),
    "noise of 60": RNG.randbytes(60), "noise of 61": RNG.randbytes(61), "noise of 269": RNG.randbytes(269),
    "noise of 270": RNG.randbytes(270), "noise of 70000": RNG.randbytes(70_000), "zeroes": bytes(5000),
    "far copies": (near := RNG.randbytes(3000)) + bytes(9000) + near, "block": block(60),
    "runs of 18 and 19": b"".join(RNG.randbytes(4) * n for n in (4, 5, 6, 70)), "300 kB": block(2000, value=130),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_an_lz4_block_ends_where_it_has_given_all_its_bytes(name: str) -> None:
    content = CONTENTS[name]
    packed = bytes(lz4.block.compress(content, store_size=False))
    data, start, end = around(packed)
    size = len(content)
    assert ends.lz4_stream(data, start, len(data), size, meter()) == end
    assert ends.lz4_stream(data, start, end, size, meter()) == end
    assert ends.lz4_stream(data, start, end - 1, size, meter()) is None
    assert ends.lz4_stream(data, start, end, size + 1, meter()) is None
    assert ends.lz4_stream(data, start, len(data), size - 1, meter()) is None
    assert ends.lz4_stream(data, start, len(data), size, meter(0)) is None


@pytest.mark.parametrize("name", CONTENTS)
def test_a_snappy_stream_ends_where_it_has_given_all_its_bytes(name: str) -> None:
    content = CONTENTS[name]
    packed = bytes(cramjam.snappy.compress_raw(content))
    stream = packed[len(put_varint(len(content))) :]
    data, start, end = around(stream)
    size = len(content)
    assert ends.snappy_stream(data, start, len(data), size, meter()) == end
    assert ends.snappy_stream(data, start, end, size, meter()) == end
    assert ends.snappy_stream(data, start, end - 1, size, meter()) is None
    assert ends.snappy_stream(data, start, end, size + 1, meter()) is None
    assert ends.snappy_stream(data, start, len(data), size, meter(0)) is None


def test_every_tag_of_snappy() -> None:
    """Literals with one to four bytes of length, copies with one, two and four bytes of offset (format_description)."""
    stream, size = b"", 0
    for length, extra in ((1, 0), (60, 0), (61, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 3), (9, 4)):
        tag = (59 + extra) << 2 if extra else (length - 1) << 2
        stream += bytes([tag]) + (length - 1).to_bytes(4, "little")[:extra] + b"x" * length
        size += length
        for copy, gives in (((1 | 0 << 2, 9), 4), ((1 | 7 << 2, 9), 11), ((2 | 0 << 2, 9, 0), 1),
                            ((2 | 63 << 2, 9, 0), 64), ((3 | 20 << 2, 9, 0, 0, 0), 21)):  # fmt: skip
            data, start, end = around(stream + bytes(copy))
            assert ends.snappy_stream(data, start, len(data), size + gives, meter()) == end
    assert ends.snappy_stream(b"\xf4\x01", 0, 2, 2, meter()) is None


def frames() -> Iterator[tuple[str, bytes]]:
    for name in ("short", "zeroes", "block", "noise of 270", "300 kB"):
        for sum_of in (False, True):
            for told in (False, True):
                made = zstandard.ZstdCompressor(write_checksum=sum_of, write_content_size=told)
                yield f"{name}, checksum {sum_of}, size {told}", made.compress(CONTENTS[name])
    dictionary = zstandard.ZstdCompressionDict(block(300), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    yield "dictionary", zstandard.ZstdCompressor(dict_data=dictionary).compress(block(60))
    stream = zstandard.ZstdCompressor().compressobj()
    yield "several blocks", stream.compress(CONTENTS["300 kB"]) + stream.flush()
    # by hand, as RFC 8878 has it: ids of a dictionary of 1, 2 and 4 bytes, sizes of 2, 4 and 8, an RLE block last
    for number, size in enumerate((1, 2, 4), 1):
        for code, length in ((1, 2), (2, 4), (3, 8)):
            head = bytes([code << 6 | number]) + b"\x58" + bytes(size) + bytes(length)
            yield f"id of {size}, size of {length}", b"\x28\xb5\x2f\xfd" + head + b"\x18\0\0" + b"abc" + b"\x2b\0\0z"


@pytest.mark.parametrize(("name", "frame"), list(frames()))
def test_a_zstd_frame_ends_behind_its_last_block_and_its_checksum(name: str, frame: bytes) -> None:
    data, start, end = around(frame)
    assert ends.zstd_frame(data, start, len(data)) == end
    assert ends.zstd_frame(data, start, end) == end
    assert ends.zstd_frame(data, start, end - 1) is None
    assert ends.zstd_frame(data, start + 1, end) is None
    assert name


def packed(kind: int, content: bytes, sized: bool) -> bytes:
    size = put_varint(len(content)) if sized else b""
    if kind == codecs.SNAPPY:
        return bytes(cramjam.snappy.compress_raw(content))
    if kind == codecs.ZSTD:
        return size + zstandard.ZstdCompressor().compress(content)
    if kind in (codecs.LZ4, codecs.LZ4HC):
        mode = "high_compression" if kind == codecs.LZ4HC else "default"
        return size + bytes(lz4.block.compress(content, mode=mode, store_size=False))
    if kind == codecs.BZIP2:
        return size + bz2.compress(content)
    deflate = zlib.compressobj(6, zlib.DEFLATED, -14)
    return size + deflate.compress(content) + deflate.flush()


KINDS = {"snappy": 1, "zlib": 2, "bzip2": 3, "lz4": 4, "lz4hc": 5, "zstd": 7}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_end_of_a_compressed_block_is_among_the_candidates(kind: str, large: bool) -> None:
    number = KINDS[kind]
    content = CONTENTS["300 kB"] if large else block(60)
    made = packed(number, content, sized=True)
    data = BEFORE + made + bytes([number]) + b"\1\2\3\4" + made + BEHIND
    start, end = len(BEFORE), len(BEFORE) + len(made)
    begins = ends.starts(codecs.LZ4 if number == codecs.LZ4HC else number, True)
    assert start in begins.places(data, 0, len(data))
    assert list(begins.places(data, start, start + 1)) == [start]  # it goes on behind what is searched

    def tried(types: set[int], size: int) -> list[int]:
        return list(ends.candidates(data, start, len(data), frozenset(types), True, 0, size, meter()))

    assert end in tried({number}, len(content))
    assert end in tried({0, *KINDS.values()}, len(content))
    if kind != "zstd":
        assert tried({number}, len(content) - 1) == []
        assert tried({0}, len(content)) == []
    assert list(ends.candidates(data, len(data) - 7, len(data), frozenset({number}), True, 0, 99, meter())) == []


LOOKALIKES = [b"\xff", b"\0\x08", b"\x28\xb5\x2f\xfd", b"\x82\x91\x05\x28\xb5\x2f\xfd", b"BZh31AY", b"\x90\x07BZh91AY"]
LOOKALIKES += [
    b"\xf1" + b"\xff" * 8 + b"\5\0\x09",
    b"\xf0\x41\0\x10",
    b"\xf4\1\1\0\x20",
    b"\x85\xff\xff\1",
    b"\xf0" * 8,
]


LONGEST = [b"\x85\xff\xff\1" + rest for rest in (LOOKALIKES[6], LOOKALIKES[8], LOOKALIKES[2], b"BZh91AY", b"\0")]
FAR = b"\x07" * 40


@example([FAR + one + FAR for one in LONGEST], 1, True)
@given(st.lists(st.sampled_from(LOOKALIKES) | st.binary(max_size=9), max_size=60), st.integers(1, 200), st.booleans())
def test_beginnings_are_found_wherever_their_form_matches(pieces: list[bytes], times: int, sized: bool) -> None:
    data = b"".join(pieces) * times
    data = data[: 3 * 4096]
    for kind in (0, codecs.SNAPPY, codecs.ZLIB, codecs.BZIP2, codecs.LZ4, codecs.ZSTD) if sized else (1, codecs.ZSTD):
        begins, until = ends.starts(kind, sized), len(data) - len(data) // 5
        wanted = [at for at in range(7, until) if begins.form.match(data, at)]
        assert list(begins.places(data, 7, until)) == wanted


def test_without_sizes_before_them_only_snappy_and_zstd_tell_theirs() -> None:
    for kind, number in KINDS.items():
        made = packed(number, block(60), sized=False)
        data, start, end = around(made + bytes([number]) + b"\1\2\3\4")
        found = list(ends.candidates(data, start, len(data), frozenset({number}), False, 0, 1 << 20, meter()))
        assert (len(BEFORE) + len(made) in found) is (kind in ("snappy", "zstd"))
        assert end


def test_an_uncompressed_block_is_looked_for_as_entries_then_as_an_index_then_by_its_last_word() -> None:
    made = block(30)
    data, start, end = around(made + b"\0" + b"\1\2\3\4")
    end -= 5

    def tried(data: bytes, reach: int, types: tuple[int, ...] = (0,)) -> list[int]:
        return list(ends.candidates(data, start, len(data), frozenset(types), True, reach, 1 << 20, meter()))

    assert tried(data, 0)[0] == end
    assert end not in tried(data, 0, (1,))
    body, restarts = delta_entries(20, 16)
    data, start, end = around(body + words(*restarts, len(restarts)))
    assert end not in tried(data, 0)
    assert end in tried(data, 1)
    other = b"\0" + Random(2).randbytes(300) + words(0, 0x40, 2)
    data, start, end = around(other + b"\0" + b"\1\2\3\4")
    end -= 5
    assert end in tried(data, len(other) + 1)
    assert end not in tried(data, len(other))


def test_what_a_search_costs_is_counted_and_ends_it() -> None:
    left = meter(10_000)
    left.step(3)
    left.call()
    left.call(80_000)
    assert left.left == 10_000 - 900 - 1000 - 11_000
    assert ends.plain(block(30), 0, 10**6, meter(600 * 10)) is None
