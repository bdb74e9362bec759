"""Results as a Prometheus text file, for the textfile collector of node_exporter (text format 0.0.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
RESERVED = frozenset({"path", "format", "code", "severity", "event"})

# name -> (type, help); the order of the file
FAMILIES = {
    "inspector_exit_code": ("gauge", "Exit code of the input's last scan: 0 clean, 3 damaged, 9 not fully checked."),
    "inspector_partial": ("gauge", "1 where the last scan did not check everything: its findings are a lower bound."),
    "inspector_findings": ("gauge", "Findings of the last scan, by rule."),
    "inspector_new_findings": ("gauge", "Findings of the last scan that the baseline does not have."),
    "inspector_bytes": ("gauge", "Size of the input in bytes."),
    "inspector_read_bytes": ("gauge", "Bytes that the last scan read."),
    "inspector_records": ("gauge", "Records met by the last scan."),
    "inspector_damaged_records": ("gauge", "Records of them that are damaged."),
    "inspector_scan_duration_seconds": ("gauge", "How long the scan of the input took."),
    "inspector_last_scan_timestamp_seconds": ("gauge", "When the scan ended, unix seconds."),
    "inspector_watch_events_total": ("counter", "Events since the watch began."),
    "inspector_watch_offset_bytes": ("gauge", "Offset up to which everything was verified."),
}


class Sample(Struct, frozen=True):
    name: str
    value: float | int
    labels: Mapping[str, str] = field(default_factory=dict)


def is_label(name: str) -> bool:
    return bool(_LABEL.match(name)) and name not in RESERVED and not name.startswith("__")


def exposition(samples: Iterable[Sample], labels: Mapping[str, str]) -> str:
    """The whole file; samples of one name stand together under its HELP and TYPE."""
    # a path that was named twice has one value of each: two make the file invalid
    last = {(sample.name, *sorted(sample.labels.items())): sample for sample in samples}
    by_name: dict[str, list[Sample]] = {}
    for sample in last.values():
        by_name.setdefault(sample.name, []).append(sample)
    lines = []
    for name, (kind, told) in FAMILIES.items():
        if name not in by_name:
            continue
        lines += [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
        for sample in by_name[name]:
            shown = ",".join(f'{k}="{_escape(v)}"' for k, v in {**labels, **sample.labels}.items())
            value = sample.value if isinstance(sample.value, int) else round(sample.value, 6)
            lines.append(f"{name}{{{shown}}} {value}" if shown else f"{name} {value}")
    return "\n".join(lines) + "\n"


def _escape(value: str) -> str:
    """Backslash, quote and line feed as the format asks; other control characters and broken UTF-8 made visible."""
    text = value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = "".join(c if c == "\n" or (c.isprintable()) else f"\\u{ord(c):04x}" for c in text)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
