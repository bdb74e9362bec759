"""What each command does in one line, for the list of all: to load every command takes longer than a small scan."""

from __future__ import annotations

SUMMARIES = {
    "scan": "Walk every record past the damage; say what is wrong, where, why, and what to do next.",
    "records": "List every record: offset, length, kind, state of its checksum, and its owner's words.",
    "show": "Show the record that holds a byte: its fields beside its bytes, what is wrong, and its neighbours.",
    "items": "List what the owner calls it (channels, volumes, blocks), as a tree where items have parents.",
    "watch": "Follow a store while its program writes it: each record verified as it lands, lasting damage "
    "told at once.",
    "diff": "Compare two stores record by record: only in A, only in B, and which fields changed, with "
    "offsets on both sides.",
    "repair": "Write what can be proved to a new file that the original program loads; the source is never changed.",
    "extract": "Write one item's content to a sparse file; what no proof stands behind is listed and mapped, "
    "never made up.",
    "report": "Write a bug report: cause, first damage, bytes around it, timeline, known issues, what a repair keeps.",
    "capture": "Copy what inspections read (metadata, damage, indexes; no content) to a zip that reads like the "
    "store itself.",
    "carve": "Find what verifies among any bytes (a raw disk, a core file, a tar, a log) and make a store of it.",
    "excerpt": "Leave healthy records out while what is found stays the same; damage is kept byte for byte, in "
    "a map its place.",
    "apply": "Change TARGET in place, after every byte to be replaced was compared and the way back was written.",
    "merge": "One store from several damaged copies: any sound copy of a record wins; what a newer copy says "
    "is dead stays so.",
    "formats": "List the formats; with NAME print its kinds of records, its field tables and its rules.",
    "explain": "Explain a rule, or a log line: what it means in bytes, known causes, and what to run next.",
    "schema": "Print the JSON Schema (draft 2020-12) of a document that inspector prints.",
    "dev": "Make damage on purpose; measure inspector on your own store.",
}
