/* What a line of a log says, as far as no more than its time and its kind matter: the twin of `plain_log.judge`. */
#ifndef INSPECTOR_LOG_LINES_H
#define INSPECTOR_LOG_LINES_H

#include "log_json.h"
#include "log_stamp.h"
#include "text_scan.h"

enum { LOG_LIST = 16, LOG_WRAP = 4096, LOG_TARGET = 256 };
typedef enum { LOG_NOTHING, LOG_CLOSED, LOG_BROKEN, LOG_READ } log_kind; /* READ: somebody else must read it */

typedef struct {
    text_word words[LOG_LIST];
    size_t count;
} log_list;

typedef struct {
    log_list needles; /* a line without any says nothing */
    log_list told;    /* a line with one of these must be read */
    log_list gates;   /* fewer: a text without any has none of `told` */
    log_list closed;  /* a connection that closed; broken where one of `causes` follows */
    log_list causes;
    log_list broken; /* in the order in which they are looked for */
} log_words;

typedef struct {
    log_kind kind;
    int timed, subspace; /* subspace: 1 where the target names it */
    int64_t time;
} log_said;

/* The place of the first word in the list's order that stands in the text, or `size`. */
static size_t log_find(const uint8_t *text, size_t size, const log_list *list)
{
    for (size_t k = 0; k < list->count; k++) {
        const size_t at = text_find(text, size, 0, &list->words[k]);
        if (at < size)
            return at;
    }
    return size;
}

static const text_word LOG_BRACE = {(const uint8_t *)"{\"", 2, 0, 1}, LOG_UNICODE = {(const uint8_t *)"\\u", 2, 0, 1},
                       LOG_SLASH = {(const uint8_t *)"\\/", 2, 0, 1}, LOG_SUBSPACE = {(const uint8_t *)"subspace", 8, 2, 4};

static int log_holds(const uint8_t *text, size_t size, const text_word *word)
{
    return text_find(text, size, 0, word) < size;
}

static int log_any(const uint8_t *text, size_t size, const log_list *list)
{
    return log_find(text, size, list) < size;
}

static int log_told(const uint8_t *text, size_t size, const log_words *words)
{
    return log_any(text, size, &words->gates) && log_any(text, size, &words->told);
}

/* Bytes of a colour code that JSON wrote with its ESC as \u001b. */
static size_t log_escaped_colour(const uint8_t *text, size_t size)
{
    if (size < 8 || memcmp(text, "\\u001", 5) || (text[5] | 32) != 'b')
        return 0;
    const size_t colour = text[6] == '[' ? stamp_colour(text + 6, size - 6) : 0;
    return colour ? 6 + colour : 0;
}

/* The text without colour codes; `out` has room for all of it. Returns its size. */
static size_t log_plain(const uint8_t *text, size_t size, int json, uint8_t *out)
{
    size_t made = 0, at = 0;
    while (at < size) {
        const uint8_t byte = text[at];
        size_t colour = byte == 0x1B || byte == '[' ? stamp_colour(text + at, size - at) : 0;
        if (json && byte == '\\')
            colour = log_escaped_colour(text + at, size - at);
        if (colour)
            at += colour;
        else
            out[made++] = text[at++];
    }
    return made;
}

/* Whether the target before a message at `at` names subspace: 1 or 0; -1 where that takes a closer look. */
static int log_subspace(const uint8_t *text, size_t at)
{
    const size_t begin = at > LOG_TARGET ? at - LOG_TARGET : 0;
    if (!log_holds(text, at, &LOG_SUBSPACE))
        return 0;
    for (size_t i = begin; i < at; i++)
        if (text[i] >= 0x80)
            return -1; /* the target is looked for in so many characters, not bytes */
    if (at - begin < 2 || text[at - 1] != ' ' || (text[at - 2] != ':' && text[at - 2] != ']'))
        return 0;
    if (text[at - 2] == ']')
        return -1;
    const size_t end = at - 2;
    size_t from = end;
    while (from > begin) {
        const uint8_t byte = text[from - 1], low = byte | 32;
        if (!(stamp_digit(byte) || (low >= 'a' && low <= 'z') || byte == '_' || byte == ':' || byte == '-'))
            break;
        from--;
    }
    return log_holds(text + from, end - from, &LOG_SUBSPACE);
}

/* What a text says that has none of the words that must be read; `text` and `length` are what stands after a carrier. */
static void log_text(const uint8_t *text, size_t length, const log_words *words, int target, log_said *said)
{
    size_t at = log_find(text, length, &words->closed);
    if (at < length) {
        said->kind = log_find(text + at, length - at, &words->causes) < length - at ? LOG_BROKEN : LOG_CLOSED;
    } else {
        at = log_find(text, length, &words->broken);
        if (at == length)
            return;
        said->kind = LOG_BROKEN;
    }
    if (target) {
        said->subspace = log_subspace(text, at);
        if (said->subspace < 0) {
            said->kind = LOG_READ;
            return;
        }
    }
    said->timed = log_line_time(text, length, &said->time);
}

/* The line that docker's or journald's JSON wraps. */
static void log_wrapped(const json_part *body, const log_words *words, int target, uint8_t *scratch, log_said *said)
{
    size_t length = json_text(body, scratch);
    while (length && (scratch[length - 1] == '\n' || scratch[length - 1] == '\r'))
        length--;
    if (memchr(scratch, '\n', length) || log_holds(scratch, length, &LOG_BRACE))
        return;
    length = log_plain(scratch, length, 0, scratch);
    if (log_told(scratch, length, words))
        return;
    said->kind = LOG_NOTHING;
    log_text(scratch, length, words, target, said);
    if (said->kind != LOG_NOTHING && !said->timed)
        said->kind = LOG_READ; /* the carrier's time counts */
}

/* A line of tracing's JSON. */
static void log_tracing(const json_line *json, const log_words *words, uint8_t *scratch, log_said *said)
{
    const json_part *parts = json->parts, *stamp = &parts[JSON_TIMESTAMP];
    const int inner = parts[JSON_INNER].there;
    const json_part *message = &parts[inner ? JSON_FIELDS_MESSAGE : JSON_MESSAGE];
    const json_part *cause = &parts[inner ? JSON_FIELDS_CAUSE : JSON_CAUSE], *target = &parts[JSON_TARGET];
    log_stamp read;
    int64_t time;
    if ((inner && !parts[JSON_INNER].size) || !message->string || !stamp->string || stamp->size > 35 ||
        (cause->there && (!cause->string || cause->size > 60000)) ||
        (target->there && (!target->string || memchr(target->at, '\\', target->size))))
        return;
    if (!stamp_at(stamp->at, stamp->size, &read) || read.size != stamp->size || !stamp_time(stamp->at, &read, &time))
        return;
    const size_t length = json_text(message, scratch);
    if (log_told(scratch, length, words))
        return;
    const size_t at = log_find(scratch, length, &words->closed);
    if (at < length) {
        const size_t whole = length + (cause->there ? json_text(cause, scratch + length) : 0);
        said->kind = log_find(scratch + at, whole - at, &words->causes) < whole - at ? LOG_BROKEN : LOG_CLOSED;
    } else if (log_find(scratch, length, &words->broken) < length) {
        said->kind = LOG_BROKEN;
    } else {
        said->kind = LOG_NOTHING;
        return;
    }
    said->timed = 1;
    said->time = time;
    said->subspace = target->there && log_holds(target->at, target->size, &LOG_SUBSPACE);
}

/* A line with JSON in its first bytes; it must be read where that is not of a usual form. */
static void log_in_json(const uint8_t *line, size_t size, const log_words *words, int target, uint8_t *scratch,
                        log_said *said)
{
    const size_t start = text_find(line, size, 0, &LOG_BRACE);
    json_line json;
    said->kind = LOG_READ;
    if (!json_read(line + start, size - start, &json))
        return;
    const int wrapped = !json.parts[JSON_LEVEL].there && !json.parts[JSON_INNER].there;
    if (wrapped && json.parts[JSON_LOG].string)
        log_wrapped(&json.parts[JSON_LOG], words, target, scratch, said);
    else if (wrapped && json.parts[JSON_JOURNAL].string)
        log_wrapped(&json.parts[JSON_JOURNAL], words, target, scratch, said);
    else
        log_tracing(&json, words, scratch, said);
}

/* `line` is without its line end; `scratch` has room for it. With `target`, its target is looked at, too. */
static log_said log_judge(const uint8_t *line, size_t size, const log_words *words, int target, uint8_t *scratch)
{
    log_said said = {LOG_NOTHING, 0, 0, 0};
    if (size && !line[0]) {
        said.kind = LOG_READ;
        return said;
    }
    if (log_find(line, size, &words->needles) == size)
        return said;
    const int json = log_holds(line, size < LOG_WRAP ? size : LOG_WRAP, &LOG_BRACE);
    const uint8_t *text = line;
    size_t length = size;
    if (memchr(line, '[', size)) {
        length = log_plain(line, size, json, scratch);
        text = scratch;
    }
    if (log_told(text, length, words)) {
        said.kind = LOG_READ;
        return said;
    }
    if (json) { /* words in JSON stand there as they are, unless their letters are written as escapes */
        int any = log_holds(text, length, &LOG_UNICODE) || log_holds(text, length, &LOG_SLASH) ||
                  log_any(text, length, &words->closed) || log_any(text, length, &words->broken);
        if (!any && length != size)
            any = log_told(line, size, words) || log_any(line, size, &words->closed) || log_any(line, size, &words->broken);
        if (any)
            log_in_json(line, size, words, target, scratch, &said);
        return said;
    }
    log_text(text, length, words, target, &said);
    return said;
}

#endif
