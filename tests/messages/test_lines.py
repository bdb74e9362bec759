"""Known messages are recognised behind every carrier, and lines that only look like them are not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from inspector.known_issues import KnownIssue
from inspector.messages.line import messages, needles, read
from inspector.messages.message import Message

HERE = Path(__file__).parent
REAL = [line.split("\t") for line in (HERE / "real_lines.tsv").read_text().splitlines()]
# the texts of the format pages behind journald, docker, Kubernetes, compose and tracing's spans
CARRIED = [line.split("\t") for line in (HERE / "carried_lines.tsv").read_text().splitlines()]
LOOK_ALIKES = (HERE / "look_alikes.txt").read_text().splitlines()
STORY = "gossip_store: get delete entry offset 41434415/5949 (version v24.02.2)"


@pytest.mark.parametrize(("name", "at", "line"), REAL, ids=[f"{i}-{r[0]}" for i, r in enumerate(REAL)])
def test_a_line_out_of_a_public_issue_is_explained(name: str, at: str, line: str) -> None:
    said = read(line)
    assert said is not None
    assert said.message.id == name
    assert said.at == (None if at == "-" else int(at))
    assert "{" not in said.meaning()


@pytest.mark.parametrize(("name", "at", "line"), CARRIED, ids=[f"{i}-{r[0]}" for i, r in enumerate(CARRIED)])
def test_a_known_text_is_explained_behind_what_carries_it(name: str, at: str, line: str) -> None:
    said = read(line)
    assert said is not None
    assert (said.message.id, str(said.at) if said.at is not None else "-") == (name, at)
    assert "{" not in said.meaning()


@pytest.mark.parametrize("line", LOOK_ALIKES)
def test_a_look_alike_is_not_explained(line: str) -> None:
    assert read(line) is None


def test_there_are_forty_of_each() -> None:
    assert len(REAL) >= 40
    assert len(LOOK_ALIKES) >= 40


CARRIERS = {
    "bare": "{}",
    "lightningd": "2024-05-31T16:18:07.001Z **BROKEN** gossipd: {}",
    "syslog": "May 31 16:18:07 home3 lightningd[27812]: 2024-05-31T16:18:07.001Z **BROKEN** gossipd: {}",
    "journald full": "Fri 2024-05-31 16:18:07 UTC home3 bash[2781224]: lightning_gossipd: {}",
    "journald iso": "2024-05-31T16:18:07+0000 home3 lightningd[27812]: lightning_gossipd: {}",
    "compose": "cln_1  | 2024-05-31T16:18:07.001Z **BROKEN** gossipd: {}",
    "kubernetes": "2024-05-31T16:18:07.123456789Z stderr F 2024-05-31T16:18:07.001Z **BROKEN** gossipd: {}",
    "kubectl": "[pod/cln-0/cln] 2024-05-31T16:18:07.001Z **BROKEN** gossipd: {}",
    "colours": "\x1b[2m2024-05-31T16:18:07.001Z\x1b[0m \x1b[31m**BROKEN**\x1b[0m gossipd: {}",
    "grep": "lightningd.log:2024-05-31T16:18:07.001Z **BROKEN** gossipd: {}",
    "quoted": "> {}",
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_message_is_found_behind_what_carried_it(carrier: str) -> None:
    said = read(CARRIERS[carrier].format(STORY))
    assert said is not None
    assert (said.message.id, said.at, said.size) == ("cln-delete-entry", 41434415, 5949)
    if carrier not in ("bare", "quoted"):
        assert said.time is not None
        assert said.time.startswith("2024-05-31T16:18:07")


@pytest.mark.parametrize(
    "wrapped",
    [
        {"log": f"**BROKEN** gossipd: {STORY}\n", "stream": "stderr", "time": "2024-05-31T16:18:07.5Z"},
        {"MESSAGE": f"**BROKEN** gossipd: {STORY}", "__REALTIME_TIMESTAMP": "1717172287500000"},
        {"timestamp": "2024-05-31T16:18:07.5Z", "level": "ERROR", "fields": {"message": STORY}, "target": "x"},
    ],
    ids=["docker", "journald", "tracing"],
)
def test_a_message_is_found_inside_json(wrapped: dict[str, object]) -> None:
    said = read(json.dumps(wrapped))
    assert said is not None
    assert (said.message.id, said.time) == ("cln-delete-entry", "2024-05-31T16:18:07.500000Z")


def test_what_a_line_says_is_linear_in_its_length() -> None:
    hostile = [
        "gossip_store: " * 100_000,
        "Corruption: block checksum mismatch: stored = " + "1" * 200_000,
        "in " + "/a" * 100_000 + ".sst offset 1 block checksum mismatch: ",
        "dropping " * 50_000,
        "time=" + '"' * 100_000 + "Failed to prepare head",
        '{"log":' * 5_000,
        "{" * 100_000 + "bad checksum offset",
        "a::" * 50_000 + "Bootstrap(",
    ]
    begun = time.process_time()
    for line in hostile:
        read(line)
    assert time.process_time() - begun < 2  # a pattern that runs away takes minutes


def _all() -> list[Message]:
    return list(messages())


def test_each_message_has_its_own_name_and_everything_to_explain_it() -> None:
    assert len({m.id for m in _all()}) == len(_all())
    assert all(n for n in needles())
    for message in _all():
        groups = set(message.pattern.groupindex)
        assert not message.convention or message.at in groups, message.id
        assert not message.size or message.size in groups, message.id
        assert not message.file or message.file in groups, message.id
        assert message.meaning.endswith("."), message.id
        assert message.effect.endswith("."), message.id
        for name in __import__("re").findall(r"\{(\w+)\}", message.meaning + message.effect):
            assert name in groups, (message.id, name)


def test_issues_are_named_by_repository_and_number() -> None:
    from inspector.known_issues_table import ISSUES

    known: dict[str, KnownIssue] = {i.id: i for i in ISSUES}
    named = {i for m in _all() for i in m.issues}
    assert all(i.count("/") == 1 and i.partition("#")[2].isdigit() for i in named)
    assert named & set(known)
