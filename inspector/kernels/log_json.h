/* A log line in JSON, as far as the usual forms go: docker's and journald's around a line, and tracing's own.

   Whatever is unusual (letters beyond ASCII, a key that is there twice, a number with an exponent) is left to a reader
   that knows all of JSON: nothing here guesses. */
#ifndef INSPECTOR_LOG_JSON_H
#define INSPECTOR_LOG_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { JSON_DEPTH = 8, JSON_MEMBERS = 60 };
enum { JSON_TOP, JSON_FIELDS, JSON_DEEPER }; /* whose members are read */
enum { /* keys that matter, of the line itself and of its "fields" */
    JSON_LOG, JSON_JOURNAL, JSON_TIMESTAMP, JSON_LEVEL, JSON_INNER, JSON_MESSAGE, JSON_TARGET, JSON_CAUSE,
    JSON_FIELDS_MESSAGE, JSON_FIELDS_CAUSE, JSON_KEYS
};

typedef struct {
    const uint8_t *at; /* of a string: what is between the quotes, with its escapes */
    size_t size;
    int there, string;
} json_part;

typedef struct {
    json_part parts[JSON_KEYS];
} json_line;

typedef struct {
    const uint8_t *text;
    size_t size, at;
} json_reader;

static void json_blanks(json_reader *r)
{
    while (r->at < r->size && (r->text[r->at] == ' ' || r->text[r->at] == '\t'))
        r->at++;
}

static int json_mark(json_reader *r, uint8_t mark)
{
    json_blanks(r);
    if (r->at >= r->size || r->text[r->at] != mark)
        return 0;
    r->at++;
    return 1;
}

static int json_hex(uint8_t byte)
{
    const uint8_t low = byte | 32;
    return byte >= '0' && byte <= '9' ? byte - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* The string whose first quote was read; 0 where it is not plain ASCII with escapes of ASCII. */
static int json_string(json_reader *r, json_part *out)
{
    out->at = r->text + r->at;
    out->there = out->string = 1;
    for (; r->at < r->size; r->at++) {
        const uint8_t byte = r->text[r->at];
        if (byte == '"') {
            out->size = (size_t)(r->text + r->at - out->at);
            r->at++;
            return 1;
        }
        if (byte < 0x20 || byte >= 0x80)
            return 0;
        if (byte != '\\')
            continue;
        if (++r->at >= r->size)
            return 0;
        if (r->text[r->at] == 'u') {
            if (r->at + 4 >= r->size || r->text[r->at + 1] != '0' || r->text[r->at + 2] != '0' ||
                json_hex(r->text[r->at + 3]) < 0 || json_hex(r->text[r->at + 3]) > 7 || json_hex(r->text[r->at + 4]) < 0)
                return 0;
            r->at += 4;
        } else if (!r->text[r->at] || !strchr("\"\\/bfnrt", r->text[r->at])) {
            return 0;
        }
    }
    return 0;
}

static int json_digits(json_reader *r)
{
    const size_t begin = r->at;
    while (r->at < r->size && r->text[r->at] >= '0' && r->text[r->at] <= '9')
        r->at++;
    return r->at > begin && r->at - begin <= 15;
}

static int json_number(json_reader *r)
{
    if (r->text[r->at] == '-')
        r->at++;
    const size_t begin = r->at;
    if (!json_digits(r) || (r->text[begin] == '0' && r->at - begin > 1))
        return 0;
    if (r->at < r->size && r->text[r->at] == '.') {
        r->at++;
        if (!json_digits(r))
            return 0;
    }
    return r->at >= r->size || (r->text[r->at] | 32) != 'e';
}

static int json_value(json_reader *r, int depth, int whose, json_part *out, json_line *line);

static json_part *json_known(const json_part *key, int whose, json_line *line)
{
    static const char *const top[] = {"log", "MESSAGE", "timestamp", "level", "fields", "message", "target", "cause"};
    static const char *const inner[] = {"message", "cause"};
    const size_t count = whose == JSON_TOP ? JSON_FIELDS_MESSAGE : whose == JSON_FIELDS ? 2 : 0;
    const size_t first = whose == JSON_TOP ? 0 : JSON_FIELDS_MESSAGE;
    const char *const *names = whose == JSON_TOP ? top : inner;
    for (size_t k = 0; k < count; k++)
        if (strlen(names[k]) == key->size && !memcmp(names[k], key->at, key->size))
            return &line->parts[first + k];
    return NULL;
}

static int json_object(json_reader *r, int depth, int whose, json_line *line)
{
    if (json_mark(r, '}'))
        return 1;
    for (int members = 0; members < JSON_MEMBERS; members++) {
        json_part key = {NULL, 0, 0, 0}, value = {NULL, 0, 0, 0};
        if (!json_mark(r, '"') || !json_string(r, &key) || memchr(key.at, '\\', key.size) || !json_mark(r, ':'))
            return 0;
        json_part *known = json_known(&key, whose, line);
        if (known && known->there)
            return 0;
        const int inside = known == &line->parts[JSON_INNER] ? JSON_FIELDS : JSON_DEEPER;
        if (!json_value(r, depth + 1, inside, &value, line))
            return 0;
        value.there = 1;
        if (known)
            *known = value;
        if (json_mark(r, '}'))
            return 1;
        if (!json_mark(r, ','))
            return 0;
    }
    return 0;
}

static int json_list(json_reader *r, int depth, json_line *line)
{
    if (json_mark(r, ']'))
        return 1;
    for (;;) {
        json_part part = {NULL, 0, 0, 0};
        if (!json_value(r, depth + 1, JSON_DEEPER, &part, line))
            return 0;
        if (json_mark(r, ']'))
            return 1;
        if (!json_mark(r, ','))
            return 0;
    }
}

static int json_value(json_reader *r, int depth, int whose, json_part *out, json_line *line)
{
    static const char *const words[] = {"true", "false", "null"};
    if (depth > JSON_DEPTH)
        return 0;
    json_blanks(r);
    if (r->at >= r->size)
        return 0;
    const uint8_t byte = r->text[r->at];
    if (json_mark(r, '"'))
        return json_string(r, out);
    if (json_mark(r, '{')) {
        out->size = whose == JSON_FIELDS; /* an object where one was looked for */
        return json_object(r, depth, whose, line);
    }
    if (json_mark(r, '['))
        return json_list(r, depth, line);
    for (size_t k = 0; k < 3; k++) {
        const size_t length = strlen(words[k]);
        if (r->size - r->at >= length && !memcmp(r->text + r->at, words[k], length)) {
            r->at += length;
            return 1;
        }
    }
    return (byte == '-' || (byte >= '0' && byte <= '9')) && json_number(r);
}

/* The whole line from its first brace on; 0 where something else has to read it. */
static int json_read(const uint8_t *text, size_t size, json_line *line)
{
    json_reader r = {text, size, 0};
    memset(line, 0, sizeof *line);
    if (!json_mark(&r, '{') || !json_object(&r, 0, JSON_TOP, line))
        return 0;
    json_blanks(&r);
    return r.at == size;
}

/* The text of a string that `json_read` took; returns its size, which is not larger than that with escapes. */
static size_t json_text(const json_part *part, uint8_t *out)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    size_t made = 0;
    for (size_t at = 0; at < part->size; at++) {
        if (part->at[at] != '\\') {
            out[made++] = part->at[at];
        } else if (part->at[++at] == 'u') {
            out[made++] = (uint8_t)(json_hex(part->at[at + 3]) * 16 + json_hex(part->at[at + 4]));
            at += 4;
        } else {
            out[made++] = (uint8_t)meant[strchr(escapes, part->at[at]) - escapes];
        }
    }
    return made;
}

#endif
