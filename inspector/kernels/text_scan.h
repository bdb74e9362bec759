/* Words, line ends and bytes that no text holds, found in blocks of text at the speed of memory. */
#ifndef INSPECTOR_TEXT_SCAN_H
#define INSPECTOR_TEXT_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

typedef struct {
    const uint8_t *bytes;
    size_t length, first, second; /* where the two bytes lie that are compared before all others */
} text_word;

/* How rare a byte is in logs: letters in the order of English text, everything else in between. */
static size_t text_rarity(uint8_t byte)
{
    static const char order[] = " etaoinsrhldcumfpgwybvkxjqz";
    const char *place = (byte >= 'A' && byte <= 'Z') || !byte ? NULL : strchr(order, byte);
    if (byte >= '0' && byte <= '9')
        return 0;
    return place ? (size_t)(place - order) : 12;
}

/* `bytes` must not be empty. */
static text_word text_word_of(const uint8_t *bytes, size_t length)
{
    text_word word = {bytes, length, 0, 0};
    for (size_t i = 1; i < length; i++)
        if (text_rarity(bytes[i]) > text_rarity(bytes[word.first]))
            word.first = i;
    word.second = word.first || length == 1 ? 0 : 1;
    for (size_t i = 0; i < length; i++)
        if (i != word.first && text_rarity(bytes[i]) > text_rarity(bytes[word.second]))
            word.second = i;
    return word;
}

/* The first place from `at` on where the word stands, or `size`. */
static size_t text_find(const uint8_t *text, size_t size, size_t at, const text_word *word)
{
    if (size < word->length)
        return size;
    const size_t stop = size - word->length; /* the last place where it can begin */
#if defined(__SSE2__)
    const __m128i one = _mm_set1_epi8((char)word->bytes[word->first]);
    const __m128i two = _mm_set1_epi8((char)word->bytes[word->second]);
    for (; at + 15 <= stop; at += 16) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(text + at + word->first));
        const __m128i b = _mm_loadu_si128((const __m128i *)(text + at + word->second));
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(a, one), _mm_cmpeq_epi8(b, two)));
        for (; found; found &= found - 1) {
            const size_t place = at + (size_t)__builtin_ctz(found);
            if (!memcmp(text + place, word->bytes, word->length))
                return place;
        }
    }
#endif
    while (at <= stop) {
        const uint8_t *hit = memchr(text + at + word->first, word->bytes[word->first], stop - at + 1);
        if (!hit)
            return size;
        at = (size_t)(hit - text) - word->first;
        if (!memcmp(text + at, word->bytes, word->length))
            return at;
        at++;
    }
    return size;
}

static size_t text_count(const uint8_t *text, size_t size, const text_word *word)
{
    size_t count = 0;
    for (size_t at = 0; (at = text_find(text, size, at, word)) < size; at += word->length)
        count++;
    return count;
}

/* Whether a byte is zero or one that UTF-8 never has. */
static int text_never(uint8_t byte)
{
    return (byte == 0) | (byte >= 0xF5) | ((byte & 0xFE) == 0xC0);
}

/* The first place from `at` on with such a byte, or `size`. */
static size_t text_find_never(const uint8_t *text, size_t size, size_t at)
{
    enum { STEP = 1024 }; /* judged as one, which the compiler makes wide */
    for (; at + STEP <= size; at += STEP) {
        uint8_t any = 0;
        for (size_t i = 0; i < STEP; i++)
            any |= (uint8_t)text_never(text[at + i]);
        if (any)
            break;
    }
    while (at < size && !text_never(text[at]))
        at++;
    return at;
}

/* Writes where each line begins, plus `base`; returns how many. `out` has room for all. */
static size_t text_lines(const uint8_t *text, size_t size, uint64_t base, uint64_t *out)
{
    size_t count = 0, at = 0;
    if (size)
        out[count++] = base;
#if defined(__SSE2__)
    const __m128i end = _mm_set1_epi8('\n');
    for (; at + 16 < size; at += 16) {
        const __m128i some = _mm_loadu_si128((const __m128i *)(text + at));
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(some, end));
        for (; found; found &= found - 1)
            out[count++] = base + at + (size_t)__builtin_ctz(found) + 1;
    }
#endif
    for (; at + 1 < size; at++)
        if (text[at] == '\n')
            out[count++] = base + at + 1;
    return count;
}

#endif
