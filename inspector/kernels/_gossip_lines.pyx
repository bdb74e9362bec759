# cython: language_level=3, boundscheck=False, wraparound=False
"""Records that verify as lines of JSON, compiled; every other record is written by the caller."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

cdef extern from "gossip_lines.h" nogil:
    enum:
        LINES_HEADER
    struct lines_out:
        char *data
        size_t count, room
    struct lines_node:
        size_t flen, addrlen
        const uint8_t *fixed
        const uint8_t *addresses
        const uint8_t *tlvs
    void lines_prepare()
    bint lines_room(lines_out *out, size_t more)
    void lines_put(lines_out *out, const char *text, size_t length)
    void lines_bytes(lines_out *out, const uint8_t *data, size_t length)
    void lines_features(lines_out *out, const uint8_t *data, size_t length)
    bint lines_addresses(lines_out *out, const uint8_t *data, size_t length)
    int lines_alias(const uint8_t *alias)
    bint lines_node_parts(lines_node *node, const uint8_t *body, size_t length)
    bint lines_known(unsigned kind, const uint8_t *body, size_t length)
    void lines_head(lines_out *out, const uint8_t *record, uint64_t start, size_t length, unsigned kind,
                    const char *const names[5])
    void lines_body(lines_out *out, unsigned kind, const uint8_t *body, size_t length)

lines_prepare()
cdef size_t MANY = 1 << 18  # stays in the cache of a core until it is written


cdef class GossipLines:
    """Writes lines of one store version.

    `names` are the five flags' names as JSON; `alias` and `addresses` turn raw bytes into JSON where the text of a
    stranger is more than plain ASCII.
    """

    cdef tuple names
    cdef object alias, addresses
    cdef lines_out out

    def __cinit__(self, names, alias, addresses):
        memset(&self.out, 0, sizeof(self.out))
        self.names = tuple(names)
        if len(self.names) != 5:
            raise ValueError("five flags have names")
        self.alias, self.addresses = alias, addresses

    def __dealloc__(self):
        free(self.out.data)

    def lines(self, const uint8_t[::1] window not None, uint64_t base, batch not None, Py_ssize_t first):
        """(lines of the tiles from `first` on, number of the first tile that is not among them, whether it can be).

        They end where a tile must be written by the caller, or after some MANY bytes. `window` begins at `base` and holds the bytes of all tiles that verify.
        """
        cdef const uint64_t[::1] starts = batch.starts
        cdef const uint16_t[::1] kinds = batch.kinds
        cdef const uint8_t[::1] marks = batch.marks, roles = batch.roles
        cdef const char *names[5]
        cdef Py_ssize_t i = first, count = starts.shape[0]
        cdef uint64_t start, end, last = batch.end, size = window.shape[0]
        cdef lines_out *out = &self.out
        cdef const uint8_t *record
        cdef bint full = False
        if not count == kinds.shape[0] == marks.shape[0] == roles.shape[0]:
            raise ValueError("a batch's columns have one length")
        for number in range(5):
            names[number] = PyBytes_AS_STRING(self.names[number])
        out.count = 0
        while i < count:
            start = starts[i]
            end = starts[i + 1] if i + 1 < count else last
            if marks[i] != 0 or roles[i] != 1 or end - start < LINES_HEADER + 2 or start < base or end - base > size:
                break
            record = &window[start - base]
            if not lines_known(kinds[i], record + LINES_HEADER, end - start - LINES_HEADER):
                break
            # an address of 6 bytes becomes 24 characters at most, a byte of features 8 numbers
            if not lines_room(out, 8 * (end - start) + 8192):
                raise MemoryError
            lines_head(out, record, start, end - start, kinds[i], names)
            if kinds[i] == 257:
                self.node(record + LINES_HEADER, end - start - LINES_HEADER)
            else:
                lines_body(out, kinds[i], record + LINES_HEADER, end - start - LINES_HEADER)
            lines_put(out, "}}\n", 3)
            i += 1
            full = out.count >= MANY
            if full:
                break
        return PyBytes_FromStringAndSize(out.data, out.count), i, full

    cdef node(self, const uint8_t *body, size_t length):
        cdef lines_node node
        cdef lines_out *out = &self.out
        cdef size_t before
        cdef int shown
        lines_node_parts(&node, body, length)
        lines_put(out, b',"signature":"', 14)
        lines_bytes(out, body + 2, 64)
        lines_put(out, b'"', 1)
        lines_features(out, body + 68, node.flen)
        lines_put(out, b',"node_id":"', 12)
        lines_bytes(out, node.fixed + 4, 33)
        lines_put(out, b'","rgb_color":"', 15)
        lines_bytes(out, node.fixed + 37, 3)
        lines_put(out, b'","alias":', 10)
        shown = lines_alias(node.fixed + 40)
        if shown >= 0:
            lines_put(out, b'"', 1)
            lines_put(out, <const char *> node.fixed + 40, shown)
            lines_put(out, b'"', 1)
        else:
            self.text(self.alias((<const char *> node.fixed)[40:72]), length)
        before = out.count
        if not lines_addresses(out, node.addresses, node.addrlen):
            out.count = before
            lines_put(out, b',"addresses":', 13)
            self.text(self.addresses((<const char *> node.addresses)[:node.addrlen]), length)
        lines_put(out, b',"tlvs":"', 9)
        lines_bytes(out, node.tlvs, length - 142 - node.flen - node.addrlen)
        lines_put(out, b'"', 1)

    cdef text(self, bytes told, size_t length):
        if not lines_room(&self.out, PyBytes_GET_SIZE(told) + 8 * length + 4096):
            raise MemoryError
        lines_put(&self.out, PyBytes_AS_STRING(told), PyBytes_GET_SIZE(told))
