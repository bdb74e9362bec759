"""Damaged records undone: what the checksum, the message's own structure and its signatures agree on.

In this order: the header's time from the message, one flipped bit, two, a header around a message whose signatures
hold, zeroed fields that the store has elsewhere, bursts of up to 32 bits that a signature decides.
"""

from __future__ import annotations

from itertools import islice

from msgspec import Struct, field

from inspector import syndromes
from inspector.correct import (
    NONE,
    SILENT,
    Candidate,
    Correction,
    Patch,
    Testimony,
    Word,
    burst,
    correct_crc32c,
    decide,
    difference,
)
from inspector.formats.gossip_store.amounts import AMOUNT, possible
from inspector.formats.gossip_store.fills import fills
from inspector.formats.gossip_store.header_time import right_time
from inspector.formats.gossip_store.kinds import KINDS, SEALED_HEADER
from inspector.formats.gossip_store.known import Known, chain_of, scid_of
from inspector.formats.gossip_store.signed import (
    ANNOUNCEMENT,
    MESSAGE,
    NOT_SIGNED,
    SIGNED,
    Judgement,
    judge,
    kind_of,
    own_time,
)
from inspector.formats.gossip_store.structure import plausible
from inspector.formats.gossip_store.vouching import vouch
from inspector.formats.gossip_store.walk import Store
from inspector.kernels.plain_structure import structural_lengths
from inspector.span import Span

HEADER = 12
PRIVATE_UPDATE = 4102  # an update behind two bytes of length
LONGEST = HEADER + 0xFFFF
BURST_BYTES = 2048  # longer messages are not searched for bursts
SCAN_CHECKS = 20_000  # signatures that bursts may cost a scan: a few seconds
REPAIR_CHECKS = 2_000_000
GAP = 1 << 17  # bytes of a stretch that is searched for records whose headers are damaged
RECORDS = 64  # of one stretch
GAP_SOLVES = 1500  # records that may be tried in all stretches of one store: some ten seconds
KEPT = 4096  # corrections remembered between the scan and the repair


class Corrector(Struct):
    """Corrections of one store; what the store knows is gathered when the first damaged record asks."""

    store: Store
    checks: int = SCAN_CHECKS  # signatures that may still be spent on bursts
    skipped: int = 0  # records whose bursts were not searched because of that
    solves: int = GAP_SOLVES  # records that may still be tried where none can be read
    _known: Known | None = None
    _done: dict[tuple[int, int], Correction] = field(default_factory=dict)
    _last: tuple[bytes, Judgement] = (b"", NOT_SIGNED)
    _asking: bool = False
    _at: int = -1  # where the record that is being corrected begins

    @property
    def known(self) -> Known:
        if self._known is None:
            self._known = Known.of(self.store)
        return self._known

    def record(self, span: Span) -> Correction:
        """What undoes the damage of the record whose bytes are `span`; its length field may be the damage."""
        key = (span.start, span.end)
        found = self._done.get(key)
        if found is None:
            unit = self.store.source.read(span.start, span.length)
            fits = len(unit) == span.length and HEADER + 2 <= span.length <= LONGEST
            skipped = self.skipped
            found = self.solve(unit, at=span.start) if fits else NONE
            if skipped == self.skipped and len(self._done) < KEPT:
                self._done[key] = found
        return found

    def gap(self, span: Span) -> list[tuple[Span, Correction]]:
        """Records of a stretch in which none could be read: proved ones, and unique ones right before those.

        A record that nothing undoes is stepped over where the one behind it can be proved.
        """
        if span.length > GAP:
            return []
        if self.solves <= 0:
            self.skipped += 1
            return []
        data = self.store.source.read(span.start, span.length)
        found: list[tuple[Span, Correction]] = []
        at = 0
        for _ in range(RECORDS):
            step = self._next(data, at) or self._over(data, at)
            if step is None:
                break
            after, one = step
            if one.unit:
                found.append((Span(span.start + after - len(one.unit), span.start + after), one))
            at = after
        while found and found[-1][1].verdict != "sealed" and found[-1][0].end != span.end:
            found.pop()  # nothing confirms where it ends
        return found

    def _next(self, data: bytes, at: int) -> tuple[int, Correction] | None:
        """(where it ends, correction) of the record at a place of a stretch; a proved one goes before a unique one."""
        best = None
        for length in self._lengths(data, at):
            self.solves -= 1
            one = self.solve(data[at : at + HEADER + length], deep=False)
            if one.verdict == "sealed":
                return at + HEADER + length, one
            if one.verdict == "unique" and best is None:
                best = at + HEADER + length, one
        return best

    def _over(self, data: bytes, at: int) -> tuple[int, Correction] | None:
        """The proved record behind one that nothing undoes."""
        for length in self._lengths(data, at):
            behind = self._next(data, at + HEADER + length)
            if behind is not None and behind[1].verdict == "sealed":
                return behind
        return None

    @staticmethod
    def _lengths(data: bytes, at: int) -> list[int]:
        """Lengths that a body here may have: by its structure, as claimed, up to the end."""
        rest = len(data) - at - HEADER
        lengths = islice(structural_lengths(data, at + HEADER, len(data)), 8)
        claimed = int.from_bytes(data[at + 2 : at + 4], "big")
        return [n for n in dict.fromkeys((*lengths, claimed, rest)) if 2 <= n <= min(rest, 0xFFFF)]

    def solve(self, unit: bytes, deep: bool = True, at: int = -1) -> Correction:
        """What undoes the damage of one record, header and body; not `deep`: only what costs few signatures.

        `at` is where it begins in the store, -1 if that is not known.
        """
        outer, self._at = self._at, at
        try:
            return self._solve(unit, deep)
        finally:
            self._at = outer  # a record's witness may ask for another record

    def _solve(self, unit: bytes, deep: bool) -> Correction:
        right = unit[:2] + (len(unit) - HEADER).to_bytes(2, "big") + unit[4:]
        length = difference(unit, right)
        word = Word(HEADER, len(unit), 4, "big", seed=8)
        if length and not word.syndrome(right):
            because = "the checksum holds for the length that the message's structure gives"
            fits = self._plausible(right[HEADER:])
            return Correction("sealed", right, length, "a wrong length", because, 1, count=1) if fits else NONE
        found = self._body(right, word, deep)
        if not length or not found.unit:
            return found
        how = f"a wrong length and {found.how}"
        patch = difference(unit, found.unit)
        return Correction(found.verdict, found.unit, patch, how, found.witness, found.tried, count=found.count)

    def _body(self, unit: bytes, word: Word, deep: bool) -> Correction:
        """Corrections of a record whose length field is right."""
        best = NONE
        attempts = (self._time, self._flips, self._header, self._zeroes, self._bursts)
        for attempt in attempts if deep else attempts[:3]:
            found = attempt(unit, word)
            if found.verdict == "sealed":
                return found
            if best.verdict == "none" or (best.verdict == "ambiguous" and found.verdict == "unique"):
                best = found
        return best

    def _time(self, unit: bytes, word: Word) -> Correction:
        """The header's time from the message: CLN's own records have 0, updates and nodes their own time."""
        time = own_time(unit[HEADER:])
        if time is None:
            return NONE
        right = unit[:8] + time.to_bytes(4, "big") + unit[12:]
        if right == unit or word.syndrome(right):
            return NONE
        return decide(unit, [Candidate(difference(unit, right), "a wrong time in the header")], self.testify, 1)

    def _flips(self, unit: bytes, word: Word) -> Correction:
        pairs = len(unit) - HEADER <= syndromes.UNIQUE_PAIRS or kind_of(unit[HEADER:]) in SIGNED
        return correct_crc32c(unit, word, self.testify, 2 if pairs else 1)

    def _header(self, unit: bytes, word: Word) -> Correction:
        """A message whose signatures hold is authentic: its checksum is computed anew."""
        body = unit[HEADER:]
        verdict = self.judge(body)
        if not verdict.all_hold or not self._plausible(body):
            return NONE
        time, because = own_time(body), "the message has its time"
        if time is None:
            time, because = right_time(unit, scid_of(body), self.known)
        right = unit[:4] + bytes(4) + time.to_bytes(4, "big") + body
        right = right[:4] + word.computed(right).to_bytes(4, "big") + right[8:]
        how = "a damaged header around an authentic message"
        if not because:  # either of the two may be what is damaged, or both
            return Correction("unique", right, difference(unit, right), how, tried=1 << 31, count=1)
        witness = f"{_signed(verdict)}; {because}"
        return Correction("sealed", right, difference(unit, right), how, witness, 1, count=1)

    def _zeroes(self, unit: bytes, word: Word) -> Correction:
        if self.checks <= 0:
            return NONE
        tried, patches = fills(unit, word, self.known)
        candidates = [Candidate(patch, "zeroes over bytes that the store has elsewhere") for patch in patches]
        self.checks -= tried // 32  # a checksum costs about that part of a signature
        return decide(unit, candidates, self.testify, tried)

    def _bursts(self, unit: bytes, word: Word) -> Correction:
        body = unit[HEADER:]
        if len(body) > BURST_BYTES:
            return NONE
        if kind_of(body) not in SIGNED or not (self.known.signs() or "held" in self.judge(body).which):
            candidates = burst(word, unit, 8)
            return decide(unit, candidates, self.testify, 8 * len(body) << 7, sure=False)
        low, high = _where(body, self.judge(body))
        cost = 4 * (high - low)  # half of the places have a pattern that begins there
        if cost > self.checks:
            self.skipped += 1
            return NONE
        self.checks -= cost
        candidates = burst(word, unit, 32, (HEADER + low, HEADER + high))
        return decide(unit, candidates, self._only_signatures, 8 * (high - low))

    def _only_signatures(self, unit: bytes, patch: Patch) -> Testimony:
        said = self.testify(unit, patch)
        return said if said.holds else Testimony(False)

    # -- witnesses -----------------------------------------------------------------------------

    def testify(self, unit: bytes, patch: Patch) -> Testimony:
        """What message, store and signatures say of a corrected record."""
        body = unit[HEADER:]
        kind = kind_of(body)
        if kind not in KINDS:  # a later release's: only that its type and time are left alone speaks for it
            return Testimony(False) if any(8 <= at < HEADER + 2 for at, _ in patch) else SILENT
        time = own_time(body)
        if kind == AMOUNT and not possible(body):
            return Testimony(False)
        if not self._plausible(body) or (time is not None and time != SEALED_HEADER.unpack(unit[:HEADER])[3]):
            return Testimony(False)
        if kind in SIGNED:
            chain = chain_of(body)
            if chain is not None and self.known.chain() not in (None, chain):
                return Testimony(False)
            verdict = self.judge(body)
            if verdict.all_hold:
                return Testimony(True, _signed(verdict))
            if verdict.failed and ("held" in verdict.which or self.known.signs()):
                return Testimony(False)
        if kind == PRIVATE_UPDATE:
            inner = judge(body[4:], self.signer)
            if inner.all_hold:
                return Testimony(True, _signed(inner))
            if inner.failed and self.known.signs():
                return Testimony(False)
        said = vouch(body, patch, self.known, self.known.channel_before(self._at))
        return Testimony(True, said) if said else SILENT

    def judge(self, body: bytes) -> Judgement:
        if self._last[0] != body:
            self._last = (body, judge(body, self.signer) if kind_of(body) in SIGNED else NOT_SIGNED)
        return self._last[1]

    def signer(self, scid: int, direction: int) -> bytes | None:
        """The node that signs this channel's updates, also where its announcement is damaged itself."""
        key = self.known.node(scid, direction)
        if key is None and not self._asking:
            self._asking = True
            self._rescue_announcements()
            key = self.known.node(scid, direction)
            self._asking = False
        return key

    def _rescue_announcements(self) -> None:
        """Damaged announcements that are proved give keys, too; they need no other record to be proved."""
        while self.known.suspects:
            start, end = self.known.suspects.pop()
            found = self.record(Span(start, end))
            if found.verdict == "sealed" and kind_of(found.unit[HEADER:]) == ANNOUNCEMENT:
                self.known.learn(found.unit[HEADER:])

    def _plausible(self, body: bytes) -> bool:
        return plausible(kind_of(body), body, len(body), self.store.version)


def _signed(verdict: Judgement) -> str:
    count = len(verdict.which)
    return f"{count} of {count} signatures hold" if count > 1 else "its signature holds"


def _where(body: bytes, verdict: Judgement) -> tuple[int, int]:
    """The bytes of a body that can be damaged: a signature that holds vouches for the whole signed part."""
    failed = [k for k, state in enumerate(verdict.which) if state == "failed"]
    if "held" in verdict.which and failed:
        return 2 + 64 * failed[0], 66 + 64 * failed[-1]
    if kind_of(body) == ANNOUNCEMENT:
        return MESSAGE[ANNOUNCEMENT] - 4, len(body)
    return 2, len(body)
