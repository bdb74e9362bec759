"""Variable-length integers and length-prefixed byte strings, as LevelDB and RocksDB write them."""


class MalformedError(ValueError):
    """Bytes that do not spell the structure that is due here; every walker turns it into a finding."""


def varint(data: bytes, at: int, end: int, bits: int = 64) -> tuple[int, int]:
    """The unsigned LEB128 number at `at` and the offset after it.

    Raises MalformedError where it runs past `end`, never ends, or needs more than `bits` bits.
    """
    if at < end and data[at] < 0x80:
        return data[at], at + 1
    value = shift = 0
    while at < end and shift < bits:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> bits:
                raise MalformedError(f"varint needs more than {bits} bits")
            return value, at
        shift += 7
    raise MalformedError("varint without an end")


def zigzag(value: int) -> int:
    """The signed number that an unsigned varint carries (util/coding.h, PutVarsignedint64)."""
    return (value >> 1) ^ -(value & 1)


def prefixed(data: bytes, at: int, end: int) -> tuple[bytes, int]:
    """The byte string whose varint32 length stands at `at`, and the offset after it."""
    if at < end and (length := data[at]) < 0x80:  # most are short, and there may be hundreds of thousands of them
        at += 1
    else:
        length, at = varint(data, at, end, 32)
    if length > end - at:
        raise MalformedError(f"byte string claims {length} bytes, {end - at} are left")
    return bytes(data[at : at + length]), at + length


def put_varint(value: int) -> bytes:
    """LEB128 of a number that is not negative."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_prefixed(data: bytes) -> bytes:
    """Length as varint32, then the bytes."""
    return put_varint(len(data)) + data


def u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")
