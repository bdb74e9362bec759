/* One pass over a block of text: where its lines begin, which hold a word, which hold bytes that no text holds. */
#ifndef INSPECTOR_TEXT_SURVEY_H
#define INSPECTOR_TEXT_SURVEY_H

#include "text_scan.h"

enum { TEXT_WORDS = 8 };             /* most words that are looked for at the same time */
enum { TEXT_HIT = 1, TEXT_NEVER = 2 }; /* what is noted of a line */

typedef struct {
    text_word word;
    size_t pair; /* where the two neighbouring bytes lie that are compared before all others */
} text_needle;

typedef struct {
    text_needle needles[TEXT_WORDS];
    size_t count;     /* of needles; the last one is counted, and makes no line a hit */
    uint64_t counted; /* how often it stands in the text, without overlap */
    size_t free;      /* where its next occurrence may begin */
} text_survey;

static text_needle text_needle_of(const uint8_t *bytes, size_t length)
{
    text_needle needle = {text_word_of(bytes, length), 0};
    size_t best = 0;
    for (size_t i = 0; i + 1 < length; i++) {
        const size_t rare = text_rarity(bytes[i]) * text_rarity(bytes[i + 1]);
        if (rare > best) {
            best = rare;
            needle.pair = i;
        }
    }
    return needle;
}

static size_t text_line_ends(const uint8_t *text, size_t size)
{
    size_t count = 0;
    while (size) {
        const size_t step = size < 255 * 64 ? size : 255 * 64; /* sums of bytes that the compiler makes wide */
        uint8_t sums[64] = {0};
        size_t i = 0;
        for (; i + 64 <= step; i += 64)
            for (size_t k = 0; k < 64; k++)
                sums[k] = (uint8_t)(sums[k] + (text[i + k] == '\n'));
        for (; i < step; i++)
            count += text[i] == '\n';
        for (size_t k = 0; k < 64; k++)
            count += sums[k];
        text += step;
        size -= step;
    }
    return count;
}

/* The needles whose pair may stand at `place`, in line number `line`. */
static void text_candidate(text_survey *s, const uint8_t *text, size_t size, size_t place, uint8_t *flag)
{
    for (size_t k = 0; k < s->count; k++) {
        const text_needle *needle = &s->needles[k];
        const text_word *word = &needle->word;
        if (text[place] != word->bytes[needle->pair] || place < needle->pair)
            continue;
        const size_t begin = place - needle->pair;
        if (begin + word->length > size || memcmp(text + begin, word->bytes, word->length))
            continue;
        if (k + 1 < s->count) {
            *flag |= TEXT_HIT;
        } else if (begin >= s->free) {
            s->counted++;
            s->free = begin + word->length;
        }
    }
}

/* From `at`, where line `line` goes on, one byte after the other. */
static void text_survey_slow(text_survey *s, const uint8_t *text, size_t size, size_t at, size_t line, uint64_t base,
                             uint64_t *starts, uint8_t *flags)
{
    for (; at < size; at++) {
        if (text_never(text[at]))
            flags[line] |= TEXT_NEVER;
        text_candidate(s, text, size, at, &flags[line]);
        if (text[at] == '\n' && at + 1 < size)
            starts[++line] = base + at + 1;
    }
}

#if defined(__SSE2__)
/* `n` is a constant where this is called: the loop over needles is unrolled. */
static inline __attribute__((always_inline)) size_t text_survey_wide(text_survey *s, size_t n, const uint8_t *text,
                                                                     size_t size, size_t *line, uint64_t base,
                                                                     uint64_t *starts, uint8_t *flags)
{
    const __m128i end = _mm_set1_epi8('\n'), high = _mm_set1_epi8((char)0xF5), even = _mm_set1_epi8((char)0xFE);
    const __m128i over = _mm_set1_epi8((char)0xC0), zero = _mm_setzero_si128();
    __m128i first[TEXT_WORDS], second[TEXT_WORDS];
    size_t at = 0, now = *line;
    for (size_t k = 0; k < n; k++) {
        const text_needle *needle = &s->needles[k];
        first[k] = _mm_set1_epi8((char)needle->word.bytes[needle->pair]);
        second[k] = _mm_set1_epi8((char)needle->word.bytes[needle->pair + 1]);
    }
    for (; at + 17 <= size; at += 16) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(text + at));
        const __m128i b = _mm_loadu_si128((const __m128i *)(text + at + 1));
        const __m128i ends = _mm_cmpeq_epi8(a, end);
        const __m128i never = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(a, zero), _mm_cmpeq_epi8(_mm_max_epu8(a, high), a)),
                                           _mm_cmpeq_epi8(_mm_and_si128(a, even), over));
        __m128i some = zero;
        for (size_t k = 0; k < n; k++)
            some = _mm_or_si128(some, _mm_and_si128(_mm_cmpeq_epi8(a, first[k]), _mm_cmpeq_epi8(b, second[k])));
        const unsigned any = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(ends, never), some));
        if (!any)
            continue;
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_or_si128(never, some));
        const unsigned lines = (unsigned)_mm_movemask_epi8(ends);
        const unsigned bad = found ? (unsigned)_mm_movemask_epi8(never) : 0;
        for (; found; found &= found - 1) {
            const unsigned bit = (unsigned)__builtin_ctz(found);
            uint8_t *flag = &flags[now + (size_t)__builtin_popcount(lines & ((1u << bit) - 1))];
            if (bad >> bit & 1)
                *flag |= TEXT_NEVER;
            text_candidate(s, text, size, at + bit, flag);
        }
        for (unsigned left = lines; left; left &= left - 1)
            starts[++now] = base + at + (size_t)__builtin_ctz(left) + 1;
    }
    *line = now;
    return at;
}
#endif

/* `starts` has room for every line, `flags` are zeroes and as many. Needles have two bytes at least. */
static void text_survey_run(text_survey *s, const uint8_t *text, size_t size, uint64_t base, uint64_t *starts,
                            uint8_t *flags)
{
    size_t at = 0, line = 0;
    if (!size)
        return;
    starts[0] = base;
#if defined(__SSE2__)
    if (s->count == 5)
        at = text_survey_wide(s, 5, text, size, &line, base, starts, flags);
    else if (s->count == 6)
        at = text_survey_wide(s, 6, text, size, &line, base, starts, flags);
    else
        at = text_survey_wide(s, s->count, text, size, &line, base, starts, flags);
#endif
    text_survey_slow(s, text, size, at, line, base, starts, flags);
}

#endif
