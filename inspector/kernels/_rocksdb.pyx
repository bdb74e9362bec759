# cython: language_level=3, boundscheck=False, wraparound=False
"""Blocks of RocksDB tables, compiled: the twin of `plain_rocksdb`."""

from array import array as _array

from cpython cimport array
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

cdef extern from "crc32c.h" nogil:
    void crc_prepare(int allow_hardware)

cdef extern from "xxh.h" nogil:
    int xxh_wide
    void xxh_prepare(int allow_wide)

cdef extern from "rocks_carve.h" nogil:
    int64_t c_sealed_end "sealed_end"(const uint8_t *data, size_t room, size_t begin, size_t at, size_t until, int kind,
                                      int checksum, uint32_t modifier, int64_t *left)
    int64_t c_sealed_begin "sealed_begin"(const uint8_t *data, size_t room, size_t at, size_t until, size_t stop, int checksum,
                                          uint32_t base, uint64_t start, int64_t *left)
    ctypedef struct bytes_of:
        uint8_t *data
        size_t length
    ctypedef struct block_run:
        int checksum, sized, ordered, stop_type
        uint32_t base
        uint64_t entries, max_tag
        uint64_t types[256]
        bytes_of first, last
        int has_first, has_last, why
    size_t run_blocks(block_run *run, const uint8_t *window, size_t room, uint64_t start, const uint64_t *offsets,
                      const uint64_t *sizes, size_t first, size_t last, int decode, uint32_t *stored,
                      uint32_t *computed, uint8_t *wrong)
    int scan_content(block_run *run, const uint8_t *data, size_t length)
    void run_free(block_run *run)
    uint32_t block_sum(int kind, const uint8_t *body, size_t length)
    ctypedef struct table_kind:
        int checksum, sized
        uint32_t base, types
    const uint8_t *block_end(const uint8_t *at, const uint8_t *end, uint64_t offset, const table_kind *kind,
                             int64_t *spent)
    const uint8_t *c_find_block "find_block"(const uint8_t **at, const uint8_t *until, const uint8_t *end,
                                             uint64_t offset, const table_kind *kind, uint32_t largest,
                                             int64_t *budget)
    int64_t c_index_handles "index_handles"(const uint8_t *at, const uint8_t *end, int delta, int first_key,
                                            uint64_t limit, uint64_t *offsets, uint64_t *sizes, int *ordered)

cdef extern from "rocks_log.h" nogil:
    ctypedef struct log_state:
        uint64_t records, operations, first_sequence, next_sequence, highest, jump_count
        uint64_t families[256]
        uint64_t jump_at[100]
        uint64_t jump_due[100]
        uint64_t jump_found[100]
        int has_first, recycled
        uint32_t number
        bytes_of record
    size_t log_run(log_state *log, const uint8_t *window, size_t room, uint64_t base, size_t at, uint64_t *starts,
                   uint32_t *stored, uint8_t *pads, size_t *tiles)
    size_t log_records(const uint8_t *block, size_t room, uint64_t base, int64_t number, uint64_t *starts,
                       uint8_t *kinds, uint32_t *stored, size_t *count)
    size_t c_log_relength "log_relength"(const uint8_t *block, size_t room, size_t at, size_t head, size_t anchor)
    int batch_read(const uint8_t *data, size_t length, uint64_t *families, uint32_t *found, int *prepared)
    int read_varint(const uint8_t **at, const uint8_t *end, uint32_t *value)

cdef extern from "rocks_trial.h" nogil:
    ctypedef struct trial_block:
        pass
    size_t flips_slow(uint8_t *data, size_t length, int kind, uint32_t wanted, size_t bit, uint32_t *found, size_t room)
    size_t flips_xxh64(uint8_t *data, size_t length, uint32_t wanted, uint32_t *found, size_t room)
    size_t flips_xxh32(uint8_t *data, size_t length, uint32_t wanted, uint32_t *found, size_t room)
    size_t flips_xxh3(uint8_t *data, size_t length, uint32_t wanted, trial_block *blocks, uint32_t *found, size_t room)

crc_prepare(1)
xxh_prepare(1)


def use_wide_hash(wanted):
    """Turns AVX2 off, or on again where there is some: for tests of the other path."""
    xxh_prepare(1 if wanted else 0)
    return bool(xxh_wide)


cdef array.array LONGS = _array("Q")
cdef array.array WORDS = _array("I")
cdef size_t FOUND = 4096


cdef class BlockRun:
    """Blocks in a row: sums over their entries; stops before the first one that needs a closer look."""

    cdef block_run run
    cdef readonly bytes wrong  # of the last call: 1 for each block that was passed over

    def __cinit__(self, int checksum, uint32_t base, bint sized, bint ordered, int stop_type=-1):
        self.run.checksum, self.run.base, self.run.sized = checksum, base, sized
        self.run.ordered, self.run.stop_type = ordered, stop_type

    def __dealloc__(self):
        run_free(&self.run)

    def blocks(self, const uint8_t[::1] window, uint64_t start, array.array offsets, array.array sizes, size_t first, size_t last,
               bint decode=True, bint through=False):
        """(the first block that was not done, stored and computed checksums of those that were)

        With `through` blocks whose checksum fails are passed over, and noted in `wrong`.
        """
        cdef bytearray marks = bytearray(last - first if through and last > first else 0)
        cdef uint8_t *wrong = <uint8_t *>marks if through else NULL
        cdef array.array stored = array.clone(WORDS, last - first, zero=False)
        cdef array.array computed = array.clone(WORDS, last - first, zero=False)
        cdef const uint8_t *data = &window[0]
        cdef size_t room = window.shape[0], done
        cdef const uint64_t *places = <const uint64_t *>offsets.data.as_ulonglongs
        cdef const uint64_t *lengths = <const uint64_t *>sizes.data.as_ulonglongs
        if last > <size_t>len(offsets) or last > <size_t>len(sizes) or first > last:
            raise IndexError("blocks beyond the table's")
        with nogil:
            done = run_blocks(&self.run, data, room, start, places, lengths, first, last, decode,
                              <uint32_t *>stored.data.as_uints, <uint32_t *>computed.data.as_uints, wrong)
        self.wrong = bytes(marks[:done - first])
        return done, stored[:done - first], computed[:done - first]

    def content(self, bytes data):
        """Take in a block's decompressed content; False where something is wrong with it."""
        cdef const uint8_t *at = data
        cdef size_t length = len(data)
        cdef int right
        with nogil:
            right = scan_content(&self.run, at, length)
        return bool(right)

    @property
    def needs_codec(self):
        return self.run.why == 1

    @property
    def entries(self):
        return self.run.entries

    @property
    def max_tag(self):
        return self.run.max_tag

    @property
    def types(self):
        return {i: self.run.types[i] for i in range(256) if self.run.types[i]}

    @property
    def first_key(self):
        return self.run.first.data[:self.run.first.length] if self.run.has_first else None

    @property
    def last_key(self):
        return self.run.last.data[:self.run.last.length] if self.run.has_last else None


cdef class LogRun:
    """Whole write batches of a WAL in a row, and sums over them; `number` is the log's own, None if it is not known."""

    cdef log_state log

    def __cinit__(self, number=None):
        self.log.recycled = number is not None
        self.log.number = 0 if number is None else number & 0xFFFFFFFF

    def __dealloc__(self):
        free(self.log.record.data)

    def take(self, bytes window, uint64_t base, size_t at):
        """(where it stopped in the window, starts of tiles, their checksums, 1 for each that is a block's trailer)"""
        cdef const uint8_t *data = window
        cdef size_t room = len(window), tiles = 0, stop
        cdef array.array starts = array.clone(LONGS, room // 7 + 2, zero=False)
        cdef array.array stored = array.clone(WORDS, room // 7 + 2, zero=False)
        cdef bytearray pads = bytearray(room // 7 + 2)
        cdef uint8_t *flags = pads
        if at > room or base % 32768:
            raise IndexError("a window begins with a block")
        with nogil:
            stop = log_run(&self.log, data, room, base, at, <uint64_t *>starts.data.as_ulonglongs,
                           <uint32_t *>stored.data.as_uints, flags, &tiles)
        return stop, starts[:tiles], stored[:tiles], bytes(pads[:tiles])

    @property
    def records(self):
        return self.log.records

    @property
    def operations(self):
        return self.log.operations

    @property
    def families(self):
        return {i: self.log.families[i] for i in range(256) if self.log.families[i]}

    @property
    def sequences(self):
        """The first sequence number and the one that is due next, or None where there was no record."""
        return (self.log.first_sequence, self.log.next_sequence) if self.log.has_first else None

    @property
    def highest(self):
        """The highest sequence number that a batch with operations begins with; 0 where there was none."""
        return self.log.highest

    @property
    def jumps(self):
        """(how many, [(offset, due, found)] of the first ones); found before due: it was given before"""
        kept = min(self.log.jump_count, 100)
        found = [(self.log.jump_at[i], self.log.jump_due[i], self.log.jump_found[i]) for i in range(kept)]
        return self.log.jump_count, found


def log_sound(bytes block, uint64_t base, number=None):
    """(starts, types, checksums, where the next thing begins) of a log's records that verify from a block's start on."""
    cdef const uint8_t *data = block
    cdef size_t room = len(block), count = 0, stop
    cdef array.array starts = array.clone(LONGS, room // 7 + 1, zero=False)
    cdef array.array stored = array.clone(WORDS, room // 7 + 1, zero=False)
    cdef bytearray kinds = bytearray(room // 7 + 1)
    cdef uint8_t *types = kinds
    cdef int64_t own = -1 if number is None else number & 0xFFFFFFFF
    with nogil:
        stop = log_records(data, room, base, own, <uint64_t *>starts.data.as_ulonglongs, types,
                           <uint32_t *>stored.data.as_uints, &count)
    return starts[:count], bytes(kinds[:count]), stored[:count], stop


def log_relength(bytes block, size_t at, size_t head, size_t anchor):
    """The least end at which a record verifies, at the anchor or with one bit of its length turned; 0 where none is."""
    if at + head > <size_t>len(block) or head < 7:
        return 0
    return c_log_relength(block, len(block), at, head, anchor)


def batch_sums(bytes data):
    """(operations, of each family, whether it is only prepared) of a write batch; None where this reader does not read
    it to its end."""
    cdef uint64_t families[256]
    cdef uint32_t found = 0
    cdef int prepared = 0
    memset(families, 0, sizeof(families))
    if not batch_read(data, len(data), families, &found, &prepared):
        return None
    return found, {number: families[number] for number in range(256) if families[number]}, bool(prepared)


def block_entries(bytes data, size_t end, uint64_t cost, uint64_t most, bint places):
    """(entries, where it stopped, the last key, what they cost) of a block's entries before `end`: keys and values, or
    with `places` keys and where entry, value and end lie. It stops before an entry that misfits or costs too much."""
    cdef const uint8_t *start = data
    cdef const uint8_t *at
    cdef const uint8_t *stop
    cdef uint32_t shared = 0, unshared = 0, length = 0
    cdef uint64_t spent = 0
    cdef size_t done = 0, middle, after
    cdef bytes key = b"", new
    cdef char *into
    cdef list out = []
    if end > <size_t>len(data):
        raise IndexError("a block ends with its bytes")
    stop = start + end
    while done < end:
        at = start + done
        if not (read_varint(&at, stop, &shared) and read_varint(&at, stop, &unshared) and read_varint(&at, stop, &length)):
            break
        if <uint64_t>unshared + length > <uint64_t>(stop - at) or shared > <size_t>len(key):
            break
        if spent + shared + cost > most:
            break
        spent += shared + cost
        new = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>shared + unshared)
        into = <char *>new
        memcpy(into, <const char *>key, shared)
        memcpy(into + shared, at, unshared)
        middle = (at - start) + unshared
        after = middle + length
        if places:
            out.append((new, done, middle, after, after))
        else:
            out.append((new, PyBytes_FromStringAndSize(<const char *>start + middle, length)))
        key, done = new, after
    return out, done, key, spent


def checksum_of(int kind, bytes body):
    """The checksum of a payload with its type byte."""
    if not body:
        raise ValueError("a block has a type byte")
    return block_sum(kind, body, len(body))


def sealed_end(bytes data, size_t begin, size_t at, size_t until, int kind, int checksum, uint32_t modifier,
               int64_t left):
    """(the least end in [at, until) of a payload from `begin` on behind which this type and the right checksum stand,
    or -1; what is left of the time that tries may cost). Of type 0 only an end behind a count of restarts is tried."""
    found = c_sealed_end(data, len(data), begin, at, until, kind, checksum, modifier, &left)
    return found, left


def sealed_begin(bytes data, size_t at, size_t until, size_t stop, int checksum, uint32_t base, uint64_t start,
                 int64_t left):
    """(the least beginning in [at, until) of a payload that ends at `stop` and that the checksum there
    seals, or -1; what is left of the time that tries may cost). `data` was written for the place `start`."""
    found = c_sealed_begin(data, len(data), at, until, stop, checksum, base, start, &left)
    return found, left


def chain(bytes window, uint64_t start, size_t at, int checksum, uint32_t base, uint32_t types, bint sized):
    """(offsets, sizes, types, where it stopped) of blocks that follow one another from `at` of the window."""
    cdef const uint8_t *data = window
    cdef size_t room = len(window), size
    cdef const uint8_t *stop
    cdef int64_t spent = 0
    cdef table_kind kind
    kind.checksum, kind.base, kind.types, kind.sized = checksum, base, types, sized
    offsets, sizes, kinds = _array("Q"), _array("Q"), bytearray()
    while at < room:
        with nogil:
            stop = block_end(data + at, data + room, start + at, &kind, &spent)
        if stop is NULL:
            break
        size = stop - (data + at)
        offsets.append(start + at)
        sizes.append(size)
        kinds.append(stop[0])
        at += size + 5
    return offsets, sizes, bytes(kinds), at


FOUND_TYPES = 0b10110011  # compression types whose blocks `find_block` finds


def find_block(bytes window, uint64_t start, size_t at, size_t until, int checksum, uint32_t base, uint32_t types,
               bint sized, uint32_t largest, int64_t budget):
    """(offset, size, type) of the nearest block that begins in [at, until) of the window or None, and the budget left."""
    cdef const uint8_t *data = window
    cdef size_t room = len(window)
    cdef const uint8_t *place = data + at
    cdef const uint8_t *stop
    cdef table_kind kind
    kind.checksum, kind.base, kind.types, kind.sized = checksum, base, types, sized
    if until > room or at > until:
        raise IndexError("a search beyond the window")
    with nogil:
        stop = c_find_block(&place, data + until, data + room, start + at, &kind, largest, &budget)
    if stop is NULL:
        return None, budget
    return (start + (place - data), stop - place, stop[0]), budget


def index_handles(bytes data, size_t end, bint delta, bint first_key, uint64_t limit):
    """Offsets and sizes of an index's entries, and whether each lies behind the one before; None where one misfits."""
    cdef const uint8_t *at = data
    cdef int64_t count
    cdef int ordered = 1
    if end > <size_t>len(data):
        return None
    cdef array.array offsets = array.clone(LONGS, end // 3 + 1, zero=False)
    cdef array.array sizes = array.clone(LONGS, end // 3 + 1, zero=False)
    with nogil:
        count = c_index_handles(at, at + end, delta, first_key, limit, <uint64_t *>offsets.data.as_ulonglongs,
                                <uint64_t *>sizes.data.as_ulonglongs, &ordered)
    return None if count < 0 else (offsets[:count], sizes[:count], bool(ordered))


def flips(bytes data, int kind, uint32_t wanted):
    """Bits whose flip gives the bytes the wanted low half of their hash (2 XXH32, 3 XXH64, 4 XXH3)."""
    cdef size_t length = len(data), count
    cdef uint8_t *copy = <uint8_t *>malloc(length + 1)
    cdef uint32_t *found = <uint32_t *>malloc(FOUND * 4)
    cdef trial_block *blocks = <trial_block *>malloc((length // 1024 + 2) * sizeof(trial_block))
    cdef const uint8_t *source = data
    cdef size_t i
    try:
        if copy is NULL or found is NULL or blocks is NULL:
            raise MemoryError
        with nogil:
            for i in range(length):
                copy[i] = source[i]
            if kind == 4 and length > 240:
                count = flips_xxh3(copy, length, wanted, blocks, found, FOUND)
            elif kind == 3:
                count = flips_xxh64(copy, length, wanted, found, FOUND)
            elif kind == 2:
                count = flips_xxh32(copy, length, wanted, found, FOUND)
            else:
                count = flips_slow(copy, length, kind, wanted, 0, found, FOUND)
        return [found[i] for i in range(count)]
    finally:
        free(copy)
        free(found)
        free(blocks)
