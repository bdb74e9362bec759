"""Names as Longhorn gives them, and what is only like one."""

from __future__ import annotations

import pytest

from inspector.formats.longhorn.names import short, understand

R = "pvc-0d1c4d2a-7a4b-4a43-9a1e-5b6f0f0c1a11-r-21baaab4"
DISK = "137981ad-c106-4731-9c00-87a9f64c63c2"


@pytest.mark.parametrize(
    ("name", "role", "replica", "rest"),
    [
        (R, "head", R, ""),
        (f"{R}-snap-daily-1", "snapshot", R, "daily-1"),
        (f"{R}-snap-rebuild-27ffb272", "system snapshot", R, "rebuild-27ffb272"),
        (f"{R}-snap-rebuild-27ffb2721", "snapshot", R, "rebuild-27ffb2721"),
        (f"{R}-rebuilding", "rebuilding", R, ""),
        (f"{R}-expired-a1b2c3d4", "expired", R, "a1b2c3d4"),
        (f"{R}-cloning", "cloning", R, ""),
        (f"{R}-cloning-tmp", "cloning", R, "-tmp"),
        (f"{R}-clone-ep-snap1", "clone entrypoint", R, "snap1"),
        (f"{R}-clone-ep-snap1-tmp-head", "clone entrypoint", R, "snap1-tmp-head"),
        (f"bi-parrot-disk-{DISK}", "backing image", f"bi-parrot-disk-{DISK}", ""),
        (f"bi-parrot-disk-{DISK}-temp-head", "backing image", f"bi-parrot-disk-{DISK}", "-temp-head"),
        ("shard-vol-3", "shard", "vol", "3"),
        ("somebody-elses", "other", "", ""),
        ("", "other", "", ""),
        (f"{R}x", "other", "", ""),
        ("a-r-" * 100_000, "other", "", ""),
    ],
)
def test_what_a_name_says(name: str, role: str, replica: str, rest: str) -> None:
    found = understand(name)
    assert (found.role, found.replica, found.rest) == (role, replica, rest)


def test_short_names_are_those_of_the_engines_api() -> None:
    assert short(R, R) == short(R, "volume-head") == "volume-head"
    assert short(R, f"{R}-snap-one") == short(R, "one") == "one"


@pytest.mark.parametrize(("length", "role"), [(256, "head"), (257, "other")])
def test_names_are_understood_up_to_256_characters(length: int, role: str) -> None:
    assert understand("v" * (length - 11) + "-r-21baaab4").role == role
