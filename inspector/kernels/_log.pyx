# cython: language_level=3, boundscheck=False, wraparound=False
"""Blocks of log lines surveyed and passed over, compiled: the twin of `plain_log` and `plain_stamp`."""

from array import array as _array

from cpython cimport array
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc

cdef extern from "text_survey.h" nogil:
    enum: TEXT_WORDS
    enum: TEXT_HIT
    ctypedef struct text_word:
        pass
    ctypedef struct text_needle:
        pass
    ctypedef struct text_survey:
        text_needle needles[8]
        size_t count
        uint64_t counted
        size_t free
    text_word text_word_of(const uint8_t *bytes, size_t length)
    text_needle text_needle_of(const uint8_t *bytes, size_t length)
    size_t text_line_ends(const uint8_t *text, size_t size)
    void text_survey_run(text_survey *s, const uint8_t *text, size_t size, uint64_t base, uint64_t *starts, uint8_t *flags)

cdef extern from "log_lines.h" nogil:
    enum: LOG_LIST
    ctypedef enum log_kind:
        LOG_NOTHING, LOG_CLOSED, LOG_BROKEN, LOG_READ
    ctypedef struct log_list:
        text_word words[16]
        size_t count
    ctypedef struct log_words:
        log_list needles, told, gates, closed, causes, broken
    ctypedef struct log_said:
        log_kind kind
        int timed, subspace
        int64_t time
    int log_line_time(const uint8_t *line, size_t size, int64_t *micros)
    log_said log_judge(const uint8_t *line, size_t size, const log_words *words, int target, uint8_t *scratch)

cdef array.array STARTS = _array("Q")
cdef array.array FLAGS = _array("B")
cdef enum:
    NOISE = 2000000
    SAMPLE = 256


def line_time(bytes line):
    cdef int64_t time
    if log_line_time(line, len(line), &time):
        return time
    return None


def survey(bytes data, size_t size, uint64_t at, tuple words, bytes counted):
    cdef text_survey found
    cdef const uint8_t *text = data
    cdef size_t lines
    cdef bytes word
    if size > <size_t>len(data):
        raise ValueError("a block longer than its data")
    if len(words) + 1 > TEXT_WORDS or min(map(len, (*words, counted))) < 2:
        raise ValueError("more words than can be looked for, or one of a single byte")
    found.count = found.counted = found.free = 0
    for word in (*words, counted):
        found.needles[found.count] = text_needle_of(word, len(word))
        found.count += 1
    with nogil:
        lines = text_line_ends(text, size)
        if size and text[size - 1] != 10:
            lines += 1
    cdef array.array starts = array.clone(STARTS, lines, zero=False)
    cdef array.array flags = array.clone(FLAGS, lines, zero=True)
    cdef uint64_t *begin = <uint64_t *>starts.data.as_ulonglongs
    cdef uint8_t *noted = flags.data.as_uchars
    with nogil:
        text_survey_run(&found, text, size, at, begin, noted)
    return starts, flags, found.counted


cdef class LineWords:
    """See `plain_log.LineWords`."""

    cdef log_words words
    cdef tuple kept

    def __init__(self, *, tuple needles, tuple told, tuple closed, tuple causes, tuple broken):
        self.kept = (needles, told, closed, causes, broken)  # the words point into these, those of `gates`, too
        self.fill(&self.words.needles, needles)
        self.fill(&self.words.told, told)
        gates = tuple(dict.fromkeys(next((n for n in needles if n in word), word) for word in told))
        self.fill(&self.words.gates, gates)
        self.fill(&self.words.closed, closed)
        self.fill(&self.words.causes, causes)
        self.fill(&self.words.broken, broken)

    cdef fill(self, log_list *out, tuple words):
        cdef bytes word
        if len(words) > LOG_LIST or not all(words):
            raise ValueError("more words than can be looked for, or an empty one")
        out.count = 0
        for word in words:
            out.words[out.count] = text_word_of(word, len(word))
            out.count += 1


cdef class Glide:
    """See `plain_log.Glide`."""

    cdef const uint8_t *text
    cdef size_t size, count, tail, index
    cdef uint64_t at
    cdef bytes data
    cdef array.array starts, flags
    cdef LineWords words
    cdef uint8_t *scratch
    cdef uint64_t *put_at
    cdef int64_t *put_time
    cdef readonly Py_ssize_t before
    cdef readonly bint hit
    cdef readonly object latest
    cdef readonly object ticked
    cdef readonly Py_ssize_t closed, broken
    cdef readonly bint subspace

    def __cinit__(self, bytes data, size_t size, uint64_t at, array.array starts, array.array flags, LineWords words):
        cdef size_t looked = 0
        cdef int64_t time
        if size > <size_t>len(data) or len(flags) < len(starts):
            raise ValueError("a block longer than its data, or lines without flags")
        self.text, self.size, self.at = data, size, at
        self.data, self.starts, self.flags, self.words = data, starts, flags, words
        self.count, self.index, self.before = len(starts), 0, -1
        self.tail = self.count
        self.scratch, self.put_at = NULL, NULL
        while self.tail and looked < SAMPLE:
            self.tail -= 1
            looked += 1
            if self.time_of(self.tail, &time):
                break

    def __dealloc__(self):
        free(self.scratch)
        free(self.put_at)

    cdef int room(self) except -1:
        """Memory for the lines of this block that are passed over, once it is needed."""
        if self.scratch == NULL:
            self.scratch = <uint8_t *>malloc(self.size + 1)
        if self.put_at == NULL:
            self.put_at = <uint64_t *>malloc(16 * (self.count + 1))
        if self.scratch == NULL or self.put_at == NULL:
            raise MemoryError
        self.put_time = <int64_t *>(self.put_at + self.count + 1)
        return 0

    cdef size_t begin(self, size_t index) noexcept nogil:
        return self.starts.data.as_ulonglongs[index] - self.at

    cdef size_t length(self, size_t index, size_t *whole) noexcept nogil:
        """Bytes of a line without its line end; `whole` with it."""
        cdef size_t start = self.begin(index)
        cdef size_t end = self.begin(index + 1) if index + 1 < self.count else self.size
        whole[0] = end - start
        if end > start and self.text[end - 1] == 10:
            end -= 1
            if end > start and self.text[end - 1] == 13:
                end -= 1
        return end - start

    cdef int time_of(self, size_t index, int64_t *time) noexcept nogil:
        cdef size_t whole
        cdef size_t size = self.length(index, &whole)
        return log_line_time(self.text + self.begin(index), size, time)

    def on(self, latest, bint subspace, array.array broken_at, array.array broken_time, size_t room):
        cdef int64_t now = 0 if latest is None else latest, time = 0, own = 0
        cdef bint known = latest is not None, hit = False, stop = False
        cdef uint8_t *flags = self.flags.data.as_uchars
        cdef uint64_t *starts = <uint64_t *>self.starts.data.as_ulonglongs
        cdef Py_ssize_t before = self.before, ticked = -1, between, found
        cdef size_t index = self.index, closed = 0, broken = 0, kept = 0, whole, size
        cdef log_said said
        self.room()
        with nogil:
            while index < self.count:
                hit = flags[index] & TEXT_HIT
                if not hit and index % SAMPLE and index < self.tail:
                    index += 1
                    continue
                said.kind = LOG_NOTHING
                if hit:
                    size = self.length(index, &whole)
                    said = log_judge(self.text + self.begin(index), size, &self.words.words, not subspace, self.scratch)
                if said.kind == LOG_READ:
                    stop = True
                    break
                if said.kind == LOG_NOTHING:
                    if self.time_of(index, &time):
                        if not known or time < now - NOISE:
                            stop = True
                            break
                        now = time if time > now else now
                        ticked = index
                else:
                    if said.timed and (not known or said.time < now - NOISE):
                        stop = True
                        break
                    own, found = now, -1
                    between = <Py_ssize_t>index - 1
                    while between > before:  # how long the log went on before this line counts
                        if self.time_of(between, &time):
                            found = between
                            break
                        between -= 1
                    if found >= 0:
                        if not known or time < now - NOISE:
                            stop = True
                            break
                        own = time if time > now else now
                    if said.timed and said.time < own - NOISE:
                        stop = True
                        break
                    if found >= 0:
                        now, ticked = own, found
                    if said.timed:
                        now = said.time if said.time > now else now
                        ticked = index
                    if said.kind == LOG_CLOSED:
                        closed += 1
                    else:
                        broken += 1
                        if said.timed and kept < room:
                            self.put_at[kept], self.put_time[kept] = starts[index], said.time
                            kept += 1
                    subspace = subspace or said.subspace
                before = index
                index += 1
        array.extend_buffer(broken_at, <char *>self.put_at, kept)
        array.extend_buffer(broken_time, <char *>self.put_time, kept)
        self.before, self.hit = before, hit
        self.latest = now if known else None
        self.ticked = starts[ticked] if ticked >= 0 else None
        self.closed, self.broken, self.subspace = closed, broken, subspace
        self.index = index + 1
        return index if stop else -1

    def took(self, Py_ssize_t index):
        """The caller did with this line what had to be done."""
        self.before = index
