"""Synthetic ledgers: the key layout of snarkVM and consistent rows, made from hashes. No real node wrote them.

A ledger is a list of blocks; a block is the rows that its insertion writes and the rows that finalising it writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from inspector.formats.snarkos.layout import HEADER_FAST

Rows = dict[bytes, bytes]
CREDITS = b"\x07credits\x04aleo"


def u(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def sized(raw: bytes) -> bytes:
    return u(len(raw), 8) + raw


def vec(ids: Iterable[bytes]) -> bytes:
    found = list(ids)
    return u(len(found), 8) + b"".join(found)


def name(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def element(*words: object) -> bytes:
    """A canonical field element from words."""
    raw = bytearray(sha256(repr(words).encode()).digest())
    raw[31] &= 0x0F
    return bytes(raw)


@dataclass
class Block:
    """One height: `insert` are the block store's rows, `finalize` the committee's and the mappings'."""

    height: int
    hash: bytes
    root: bytes
    round: int
    insert: Rows = field(default_factory=dict)
    finalize: Rows = field(default_factory=dict)
    transactions: list[bytes] = field(default_factory=list)

    def rows(self) -> Rows:
        return {**self.insert, **self.finalize}


@dataclass
class Maker:
    """Makes blocks one after the other."""

    seed: int = 1
    network: int = 0
    heavy: int = 1  # executions per block
    proof: bytes = b"proof" * 20
    blocks: list[Block] = field(default_factory=list)

    def grow(self, count: int) -> list[Block]:
        for _ in range(count):
            self.blocks.append(self._block(len(self.blocks)))
        return self.blocks

    def stream(self, count: int) -> Iterator[Block]:
        """Blocks one by one; only the last one is kept."""
        last: Block | None = None
        for h in range(count):
            self.blocks = [last] if last else []
            last = self._block(h)
            yield last

    def _key(self, number: int, key: bytes) -> bytes:
        return u(self.network, 2) + u(number, 2) + key

    def _block(self, h: int) -> Block:
        last = self.blocks[-1] if self.blocks else None
        step = 2 + h % 3 if h else 0
        now = Block(
            h, element(self.seed, "block", h), element(self.seed, "root", h), (last.round if last else 0) + step
        )
        put = now.insert
        header = self._header(now, last)
        put[self._key(2, u(h, 4))] = now.root
        put[self._key(3, now.root)] = u(h, 4)
        put[self._key(4, u(h, 4))] = now.hash
        put[self._key(5, now.hash)] = u(h, 4)
        put[self._key(6, now.hash)] = sized(header)
        self._authority(now)
        put[self._key(9, now.hash)] = sized(b"\1" + u(1, 4) + b"\1\0" + u(h, 8))
        self._solutions(now)
        self._transactions(now)
        self._finalize(now, last)
        return now

    def _header(self, now: Block, last: Block | None) -> bytes:
        h = now.height
        roots = [element(self.seed, "header", h, i) for i in range(5)]
        before = last.root if last else bytes(32)
        stamps = (1 << 30, 1 << 20, 1 << 30, 1_600_000_000, 1_700_000_000 + 3 * h)
        weights = u(h * 1000, 16), u(h * 77, 16)
        return bytes(HEADER_FAST.pack(1, before, *roots, 1, self.network, now.round, h, *weights, *stamps))

    def _authority(self, now: Block) -> None:
        h, put = now.height, now.insert
        if h == 0:
            put[self._key(7, now.hash)] = sized(b"\0" + bytes(128))
            return
        body = b"\1" + u(2, 4)
        for number in (now.round - 1, now.round):
            body += u(number, 8) + u(2, 2)
            for i in range(2):
                cert = element(self.seed, "certificate", h, number, i)
                sent = b"\2" + element(self.seed, "tx", h, 0) + bytes(16) + b"\1" + bytes(8) + bytes(16) + b"\0"
                body += b"\1\1" + cert + element("author", i) + u(number, 8) + u(1_700_000_000 + h, 8)
                body += element("committee", h) + u(3, 4) + sent + u(1, 2) + element("before", h, i)
                body += bytes(128) + u(2, 2) + bytes(256)
                put[self._key(8, cert)] = u(h, 4) + u(number, 8)
        put[self._key(7, now.hash)] = sized(b"\1" + body)

    def _solutions(self, now: Block) -> None:
        h, put = now.height, now.insert
        if h % 5 == 3:
            head = element("epoch", h), element("prover", h), u(h, 8)
            ident = sha256(sha256(head[0][:8] + head[1] + head[2]).digest()).digest()[:8]
            put[self._key(10, now.hash)] = sized(b"\1\1\1" + b"".join(head) + u(99, 8))
            put[self._key(11, sized(ident))] = u(h, 4)
        else:
            put[self._key(10, now.hash)] = sized(b"\1\0")
        aborted = [element("aborted solution", h)[:8]] if h % 7 == 4 else []
        put[self._key(12, now.hash)] = vec(sized(raw) for raw in aborted)
        for raw in aborted:
            put[self._key(13, sized(raw))] = u(h, 4)

    def _transactions(self, now: Block) -> None:
        h, put = now.height, now.insert
        for i in range(self.heavy if h else 1):
            self._execute(now, len(now.transactions), fee=i % 2 == 0)
        if h % 4 == 2:
            self._deploy(now, len(now.transactions))
        if h % 6 == 5:
            self._rejected(now, len(now.transactions))
        put[self._key(14, now.hash)] = vec(now.transactions)
        aborted = [element(self.seed, "aborted", h)] if h % 5 == 1 else []
        put[self._key(15, now.hash)] = vec(aborted)
        for transaction in aborted:
            put[self._key(16, transaction)] = now.hash

    def _confirm(self, now: Block, kind: int, store: int) -> bytes:
        index = len(now.transactions)
        tx = element(self.seed, "tx", now.height, index)
        rejected = b"\1" + tx * 2 if kind == 3 else b""
        operations = [sized(b"\2" + bytes(96)), sized(b"\0" + bytes(32))]
        body = now.hash + sized(bytes([kind]) + u(index, 4) + rejected) + vec(operations)
        now.insert[self._key(17, tx)] = body
        now.insert[self._key(51, tx)] = u(store, 4)
        now.transactions.append(tx)
        return tx

    def _execute(self, now: Block, index: int, fee: bool) -> None:
        tx = self._confirm(now, 1, 1)
        transitions = [self._transition(now, tx, i) for i in range(1 + now.height % 2)]
        for transition in transitions:
            now.insert[self._key(30, transition)] = tx
        now.insert[self._key(29, tx)] = vec(transitions) + bytes([fee])
        now.insert[self._key(31, tx)] = element("inclusion", tx) + b"\1" + sized(self.proof)
        if fee:
            self._fee(now, tx)

    def _fee(self, now: Block, tx: bytes) -> None:
        transition = self._transition(now, tx, 99)
        now.insert[self._key(32, tx)] = transition + element("fee root", tx) + b"\0"
        now.insert[self._key(33, transition)] = tx

    def _deploy(self, now: Block, index: int) -> None:
        tx, put = self._confirm(now, 0, 0), now.insert
        program = sized(name(f"game{now.height}") + name("aleo"))
        put[self._key(22, tx)] = program
        put[self._key(23, program)] = u(0, 2)
        put[self._key(24, program + u(0, 2))] = tx
        put[self._key(25, program + u(0, 2))] = sized(bytes(160))
        put[self._key(26, program + u(0, 2))] = sized(b"program" * 9)
        for function in ("mint", "burn"):
            put[self._key(27, program + name(function) + u(0, 2))] = sized(b"vk" * 30)
            put[self._key(28, program + name(function) + u(0, 2))] = sized(b"ce" * 9)
        self._fee(now, tx)

    def _rejected(self, now: Block, index: int) -> None:
        tx = self._confirm(now, 3, 2)
        now.insert[self._key(16, element(self.seed, "unconfirmed", now.height))] = now.hash
        now.insert[self._key(18, element("rejected", tx))] = sized(b"\1" + tx * 2)
        self._fee(now, tx)

    def _transition(self, now: Block, tx: bytes, index: int) -> bytes:
        put = now.insert
        au = element(tx, "transition", index)
        tpk, tcm = element(au, "tpk"), element(au, "tcm")
        put[self._key(52, au)] = sized(CREDITS) + name("transfer_public")
        put[self._key(53, au)] = tpk
        put[self._key(54, tpk)] = au
        put[self._key(55, au)] = tcm
        put[self._key(56, tcm)] = au
        put[self._key(57, au)] = element(au, "scm")
        inputs = [element(au, "input", i) for i in range(3)]
        put[self._key(34, au)] = vec(inputs)
        for part in inputs:
            put[self._key(35, part)] = au
        put[self._key(37, inputs[0])] = b"\1" + sized(b"plaintext")
        put[self._key(38, inputs[1])] = b"\0"
        tag = element(au, "tag")
        put[self._key(39, inputs[2])] = tag
        put[self._key(40, tag)] = inputs[2]
        outputs = [element(au, "output", i) for i in range(2)]
        put[self._key(42, au)] = vec(outputs)
        for part in outputs:
            put[self._key(43, part)] = au
        put[self._key(50, outputs[0])] = b"\1" + sized(b"future")
        put[self._key(47, outputs[1])] = element(au, "checksum") + b"\1" + sized(b"record" * 12)
        put[self._key(48, element(au, "nonce"))] = outputs[1]
        return au

    def _finalize(self, now: Block, last: Block | None) -> None:
        h, put = now.height, now.finalize
        put[self._key(19, b"\0")] = u(now.round, 8)
        for number in range(last.round + 1, now.round) if last else ():
            put[self._key(20, u(number, 8))] = u(h - 1, 4)
        put[self._key(20, u(now.round, 8))] = u(h, 4)
        members = b"".join(element("author", i) + u(10**12 + i, 8) + b"\1\5" for i in range(2))
        body = b"\1" + element("committee id", h) + u(now.round, 8) + u(2, 2) + members + u(2 * 10**12 + 1, 8)
        put[self._key(21, u(h, 4))] = sized(body)
        if h == 0:
            put[self._key(58, sized(CREDITS))] = vec([name("account"), name("stake")])
        mapping = sized(CREDITS) + name("account")
        for i in (h % 50, (h * 7) % 50):
            key = self._key(59, u(len(mapping), 4) + mapping + sized(element("account", i)))
            put[key] = sized(b"\0" + u(h, 8))


def ledger(count: int, seed: int = 1, network: int = 0, heavy: int = 1) -> list[Block]:
    """`count` whole blocks."""
    return Maker(seed, network, heavy).grow(count)


def state(blocks: Iterable[Block]) -> Rows:
    """The live rows after all of them."""
    found: Rows = {}
    for block in blocks:
        found.update(block.rows())
    return found


def batches(blocks: Iterable[Block]) -> Iterator[Rows]:
    """One batch of rows per block, as since snarkVM pull request 2296."""
    for block in blocks:
        yield block.rows()


def key(number: int, own: bytes, network: int = 0) -> bytes:
    return u(network, 2) + u(number, 2) + own


def cdn_block(block: Block, before: Block | None, network: int = 0) -> bytes:
    """A block as the CDN serves it. Its transactions are left empty: this tool does not take them apart there."""
    rows = block.insert
    parts = [rows[key(number, block.hash, network)][8:] for number in (6, 7, 9, 10)]
    head = b"\1" + block.hash + (before.hash if before else bytes(32))
    return head + b"".join(parts) + u(0, 4) + b"\1" + u(0, 4) + u(0, 4)


def cdn_file(blocks: list[Block], start: int, end: int) -> bytes:
    """`START.END.blocks`: a count, then each block behind its length."""
    found = [cdn_block(blocks[h], blocks[h - 1] if h else None) for h in range(start, end)]
    return u(len(found), 8) + b"".join(sized(raw) for raw in found)


def cdn_latest(height: int) -> bytes:
    text = f'{{"exclusive_height":{height + 1},"inclusive_height":{height},"hash":"ab1synthetic"}}'
    return sized(text.encode())
