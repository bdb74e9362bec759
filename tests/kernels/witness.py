"""A second reading of a gossip store: the rules once more, whole file in memory, slow, sharing no code."""

from collections.abc import Iterator

from crc32c import crc32c

OK, BAD_SUM, BAD_LEN, SHORT, ANCHORED, GAP, TORN_HEAD, TORN_BODY = range(8)
Tile = tuple[int, int, int, int, int]  # start, mark, kind, flags, time

FIXED = {258: {130, 138}, 4101: {10}, 4103: {10}, 4105: {10, 42}, 4106: {14}, 4107: {34}}


class Store:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def number(self, at: int, width: int = 2) -> int:
        if at + width > self.size:
            raise EOFError
        return int.from_bytes(self.data[at : at + width], "big")

    def good(self, at: int) -> bool:
        if at + 12 > self.size:
            return False
        end = at + 12 + self.number(at + 2)
        if end < at + 14 or end > self.size:
            return False
        return crc32c(self.data[at + 12 : end], self.number(at + 8, 4)) == self.number(at + 4, 4)

    def shapes(self, body: int, upto: int) -> Iterator[int]:
        """Lengths that the type allows, in order; EOFError where the bytes that tell are missing."""
        kind = self.number(body)
        if kind in FIXED:
            yield from sorted(FIXED[kind])
        elif kind == 256:
            yield 432 + self.number(body + 258)
        elif kind == 3503:
            yield 53 + self.number(body + 51)
        elif kind == 4104 and self.number(body + 12) == 256:
            yield 444 + self.number(body + 270)
        elif kind == 4102 and self.number(body + 4) == 258:
            yield from (134, 142)
        elif kind == 257:
            end = body + 142 + self.number(body + 66)
            if end > upto:
                raise EOFError
            end += self.number(end - 2)
            for _ in range(64):
                if end > upto:
                    return
                yield end - body
                end = self.skip_number(end, upto)[1]
                length, end = self.skip_number(end, upto)
                end += length

    def skip_number(self, at: int, upto: int) -> tuple[int, int]:
        if at >= upto:
            raise EOFError
        first = self.number(at, 1)
        wide = {0xFD: 2, 0xFE: 4, 0xFF: 8}.get(first, 0)
        if at + 1 + wide > upto:
            raise EOFError
        return (self.number(at + 1, wide) if wide else first), at + 1 + wide

    def lengths(self, body: int, upto: int) -> list[int]:
        found = []
        try:
            for length in self.shapes(body, upto):
                found.append(length)
        except EOFError:
            pass
        return [n for n in found if body + n <= upto and n <= 0xFFFF]

    def likely(self, at: int) -> bool:
        """The claimed length suits the type; what lies past the end of the file is not held against it."""
        try:
            claimed, body, kind = self.number(at + 2), at + 12, self.number(at + 12)
        except EOFError:
            return False
        if kind in FIXED:
            return claimed in FIXED[kind]
        least = {256: 432, 257: 142, 3503: 53, 4102: 134, 4104: 444}.get(kind)
        if least is None or claimed < least or (kind == 4102 and claimed not in (134, 142)):
            return False
        try:
            if kind in (4102, 4104):
                head = 4 if kind == 4102 else 12
                if self.number(body + head - 2) != claimed - head or self.number(body + head) != kind - 4102 + (
                    258 if kind == 4102 else 254
                ):
                    return False
            if kind != 257:
                return claimed in list(self.shapes(body, self.size))
            first = 142 + self.number(body + 66)
            if first > claimed:
                return False
            first += self.number(body + first - 2)
            if first > claimed:
                return False
        except EOFError:
            return True
        if body + claimed > self.size:
            return True
        return claimed in self.lengths(body, body + claimed)

    def streamed(self, at: int, end: int) -> int:
        """Up to where [at, end) is a TLV stream of odd types in rising order; to the end where the file breaks off."""
        stop, last = min(end, self.size), 0
        for _ in range(64):
            if at >= stop:
                return end
            try:
                kind, after = self.skip_number(at, stop)
                if kind % 2 != 1 or kind <= last:
                    return at
                length, after = self.skip_number(after, stop)
            except EOFError:
                return end
            if length >> 16:
                return at
            last, at = kind, after + length
        return min(at, end)

    def inside(self, at: int) -> int:
        """Up to where records that are found may be part of the damaged one."""
        try:
            claimed, body = self.number(at + 2), at + 12
            kind = self.number(body)
        except EOFError:
            return 0
        found = self.lengths(body, min(self.size, body + 0xFFFF))
        if kind == 257 and found and found[0] < claimed:
            return self.streamed(body + found[0], body + claimed)
        return body + claimed if self.likely(at) else 0

    def reached(self, at: int, end: int) -> bool:
        """Following claimed lengths from `end` meets a good record or the end of the file."""
        before = at
        for _ in range(65):
            if end == self.size:
                return self.likely(before)
            if end + 14 > self.size or end + 14 > at + 917504:
                return False
            after = end + 12 + self.number(end + 2)
            if after < end + 14 or after > self.size or after > at + 917504:
                return False
            if self.good(end):
                return True
            if not self.likely(end):
                return False
            before, end = end, after
        return False

    def judged(self, at: int) -> tuple[int, int] | None:
        """(mark, end) of a record that does not verify."""
        flags, claimed = self.number(at), self.number(at + 2)
        stored, time = self.number(at + 4, 4), self.number(at + 8, 4)
        body = at + 12
        others = [n for n in self.lengths(body, min(self.size, body + 0xFFFF)) if n != claimed]
        for n in others:
            if crc32c(self.data[body : body + n], time) == stored:
                return BAD_LEN, body + n
        if body + claimed <= self.size and (flags or claimed or stored or time) and self.reached(at, body + claimed):
            return (BAD_SUM if claimed > 1 else SHORT), body + claimed
        return None

    def tiles(self, at: int = 1) -> Iterator[Tile]:
        claimed_to = 0
        while at < self.size:
            if at + 12 > self.size:
                yield at, TORN_HEAD, 0, 0, 0
                return
            flags, time, end = self.number(at), self.number(at + 8, 4), at + 12 + self.number(at + 2)
            if self.good(at):
                yield at, ANCHORED if end <= claimed_to else OK, self.number(at + 12), flags, time
                at = end
                continue
            found = self.judged(at)
            if found is not None:
                yield at, found[0], 0 if found[0] == SHORT else self.number(at + 12), flags, time
                at = found[1]
                continue
            start, likely = at, self.likely(at)
            claimed_to = max(claimed_to, self.inside(at))
            claimed = end - at - 12
            shapes = self.lengths(at + 12, min(self.size, at + 12 + 0xFFFF))
            at += 1
            while at < self.size and not (self.good(at) and self.likely(at)):
                at += 1
            if at - start - 12 in shapes and at - start - 12 != claimed:
                yield start, BAD_LEN, self.number(start + 12), flags, time
            elif at == self.size and likely and end > self.size:
                yield start, TORN_BODY, self.number(start + 12), flags, time
            elif start + 14 > self.size:
                yield start, GAP, 0, 0, 0
            else:
                yield start, GAP, 0, flags, time
