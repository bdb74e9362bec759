"""Which commands help with a damaged store: a repair is offered only as it will be carried out."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import Final

from msgspec.structs import replace

from inspector.errors import RefusedError
from inspector.formats.spdk_blobstore.names import item_ids
from inspector.formats.spdk_blobstore.plan import plan
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import Store
from inspector.formats.spdk_blobstore.tail import translated

MAX_TRIED: Final = 2000  # volumes; a store with more is not planned twice
WEAKER: Final = (frozenset({"name"}), frozenset({"unsealed"}), frozenset({"name", "unsealed"}))
TAIL: Final = "without what stands behind the store; compare volumes: if it was put in before, content moved"
REMARKS: Final = {
    "name": "names that are lost or there twice are made up",
    "unsealed": "zeroes stand where content is missing",
}


def commands(state: State, store: Store, unknown: dict[int, int]) -> Iterator[str]:
    """What to run on a store with damage; `unknown` are the volumes of which bytes are missing."""
    sizes = [c.geometry.cluster_size for c in state.candidates] if state.how == "ambiguous" else []
    tail = f" --cluster-size {sizes[0]}" if sizes else ""
    yield f"inspector items {{path}}{tail}"
    for size in sizes[1:]:
        yield f"inspector items {{path}} --cluster-size {size}   # the right size is the one whose volumes make sense"
    ids = item_ids(store).items()
    named = {b: n if n.isprintable() and not n.startswith("-") else f"0x{b:x}" for b, n in ids}
    whole = [name for blob, name in named.items() if blob != store.geometry.super_blob and blob not in unknown]
    wanted = min(whole or named.values(), default=None)
    if wanted is not None:
        yield f"inspector extract {{path}} {quote(wanted)} -o volume.raw{tail}"
    proofs = _proofs(state, store)
    if proofs is not None:
        accept = "".join(f" --accept {name}" for name in sorted(proofs))
        remarks = [TAIL if state.odd_end and name == "unsealed" else REMARKS[name] for name in sorted(proofs)]
        remark = f"   # {'; '.join(remarks)}" if proofs else ""
        yield f"inspector repair {{path}} -o repaired.img{tail}{accept}{remark}"


def _proofs(state: State, store: Store) -> frozenset[str] | None:
    """The weaker proofs that a repair must be allowed; None where it is refused all the same."""
    if state.how == "ambiguous" or len(store.blobs) > MAX_TRIED:
        return None if translated(state) else frozenset()
    for more in (frozenset[str](), *WEAKER):
        wishes = replace(state.wishes, accept=state.wishes.accept | more)
        try:
            plan(replace(state, wishes=wishes), wishes)
        except RefusedError:
            continue
        return more - state.wishes.accept
    return None
