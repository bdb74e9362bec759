/* The time of a log line: the twin of `plain_stamp.line_time`. */
#ifndef INSPECTOR_LOG_STAMP_H
#define INSPECTOR_LOG_STAMP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { STAMP_HEAD = 512 }; /* bytes of a line in which its time is looked for */

typedef struct {
    size_t size;       /* bytes of the timestamp */
    size_t digits;     /* of its fraction */
    int zone, minutes; /* whether it names an offset from UTC, and which */
} log_stamp;

static int stamp_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static int stamp_number(const uint8_t *text, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

/* Whether `dddd-dd-dd[T ]dd:dd:dd` with what may follow it begins at `text`, of which `size` bytes are left. */
static int stamp_at(const uint8_t *text, size_t size, log_stamp *stamp)
{
    static const uint8_t digits[] = {0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18};
    if (size < 19 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':')
        return 0;
    if (text[10] != 'T' && text[10] != ' ')
        return 0;
    for (size_t i = 0; i < sizeof digits; i++)
        if (!stamp_digit(text[digits[i]]))
            return 0;
    size_t at = 19;
    stamp->digits = 0;
    stamp->zone = stamp->minutes = 0;
    if (at + 1 < size && text[at] == '.' && stamp_digit(text[at + 1])) {
        at++;
        while (at < size && stamp->digits < 9 && stamp_digit(text[at])) {
            stamp->digits++;
            at++;
        }
    }
    if (at < size && text[at] == 'Z') {
        at++;
    } else if (at + 4 < size && (text[at] == '+' || text[at] == '-') && stamp_digit(text[at + 1]) &&
               stamp_digit(text[at + 2])) {
        const size_t next = at + 3 + (text[at + 3] == ':');
        if (next + 1 < size && stamp_digit(text[next]) && stamp_digit(text[next + 1])) {
            stamp->minutes = stamp_number(text + at + 1, 2) * 60 + stamp_number(text + next, 2);
            stamp->minutes *= text[at] == '+' ? 1 : -1;
            stamp->zone = 1;
            at = next + 2;
        }
    }
    stamp->size = at;
    return 1;
}

/* Microseconds since 1970; 0 for a date or time that does not exist. */
static int stamp_time(const uint8_t *text, const log_stamp *stamp, int64_t *micros)
{
    static const uint8_t days_of[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int year = stamp_number(text, 4), month = stamp_number(text + 5, 2), day = stamp_number(text + 8, 2);
    const int hour = stamp_number(text + 11, 2), minute = stamp_number(text + 14, 2), second = stamp_number(text + 17, 2);
    if (hour > 23 || minute > 59 || second > 60 || year < 1 || month < 1 || month > 12 || day < 1)
        return 0;
    const int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > days_of[month - 1] + (month == 2 && leap))
        return 0;
    int64_t days = 365 * (int64_t)(year - 1) + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    for (int m = 1; m < month; m++)
        days += days_of[m - 1] + (m == 2 && leap);
    days += day - 1 - 719162; /* from the year 1 to 1970 */
    int64_t fraction = 0;
    for (size_t i = 0; i < 6; i++)
        fraction = fraction * 10 + (i < stamp->digits ? text[20 + i] - '0' : 0);
    *micros = (((days * 24 + hour) * 60 + minute - stamp->minutes) * 60 + second) * 1000000 + fraction;
    return 1;
}

/* Bytes of a colour code, `ESC[..m` or what is left of it without ESC; 0 where none is. */
static size_t stamp_colour(const uint8_t *text, size_t size)
{
    size_t at = size && text[0] == 0x1B;
    if (at >= size || text[at] != '[')
        return 0;
    const size_t begin = ++at;
    while (at < size && at - begin < 8 && (stamp_digit(text[at]) || text[at] == ';'))
        at++;
    return at < size && text[at] == 'm' ? at + 1 : 0;
}

/* Whether blanks or colours and a level stand here: the time before them is the program's own. */
static int stamp_level(const uint8_t *text, size_t size)
{
    static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
    size_t at = 0;
    for (;;) {
        const size_t colour = stamp_colour(text + at, size - at);
        if (colour)
            at += colour;
        else if (at < size && (text[at] == ' ' || (text[at] >= 9 && text[at] <= 13)))
            at++;
        else
            break;
    }
    if (!at)
        return 0;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        const size_t length = strlen(levels[i]);
        if (size - at < length || memcmp(text + at, levels[i], length))
            continue;
        if (size - at == length)
            return 1;
        const uint8_t next = text[at + length];
        return !(stamp_digit(next) || next == '_' || ((next | 32) >= 'a' && (next | 32) <= 'z'));
    }
    return 0;
}

/* The time that a level follows, else the first one in the head of a line; 0 where there is none. */
static int log_line_time(const uint8_t *line, size_t size, int64_t *micros)
{
    if (size > STAMP_HEAD)
        size = STAMP_HEAD;
    log_stamp stamp, first = {0, 0, 0, 0};
    const uint8_t *where = NULL;
    for (size_t at = 0; at + 19 <= size; at++) {
        if (line[at + 4] != '-' || !stamp_at(line + at, size - at, &stamp))
            continue;
        if (stamp_level(line + at + stamp.size, size - at - stamp.size))
            return stamp_time(line + at, &stamp, micros);
        if (!where) {
            where = line + at;
            first = stamp;
        }
    }
    return where ? stamp_time(where, &first, micros) : 0;
}

#endif
