"""Where bytes lie: the key, the block header, and the small fixed values of the maps.

Sources: ledger/block/src/header/bytes.rs and header/metadata/bytes.rs (header), helpers/rocksdb/internal/map.rs
(key). Everything of variable size is read by `values` and `authority`.
"""

from __future__ import annotations

from typing import Final

import construct as c

from inspector.layout import Layout

KEY: Final = Layout(
    "key",
    "key of a map: network, map, then the map's own key",
    c.Struct(
        "network" / c.Int16ul * "0 mainnet, 1 testnet, 2 canary",
        "map" / c.Int16ul * "which map (DataID, append-only since 2023)",
    ),
)

HEADER: Final = Layout(
    "header",
    "block header (280 bytes; in map 6 behind a u64 length)",
    c.Struct(
        "version" / c.Int8ul * "header version, 1",
        "previous_state_root" / c.Bytes(32) * "state root after the block before",
        "transactions_root" / c.Bytes(32) * "Merkle root of the transactions",
        "finalize_root" / c.Bytes(32) * "Merkle root of the finalize operations",
        "ratifications_root" / c.Bytes(32) * "Merkle root of the ratifications",
        "solutions_root" / c.Bytes(32) * "Merkle root of the solutions",
        "subdag_root" / c.Bytes(32) * "Merkle root of the subdag, zero for a beacon block",
        "metadata_version" / c.Int8ul * "metadata version, 1",
        "network" / c.Int16ul * "network id",
        "round" / c.Int64ul * "consensus round of the block",
        "height" / c.Int32ul * "block height",
        "cumulative_weight" / c.Bytes(16) * "u128 sum of solution weights",
        "cumulative_proof_target" / c.Bytes(16) * "u128 sum of proof targets since the last coinbase",
        "coinbase_target" / c.Int64ul * "target that a coinbase must reach",
        "proof_target" / c.Int64ul * "target that one solution must reach",
        "last_coinbase_target" / c.Int64ul * "coinbase target of the last coinbase block",
        "last_coinbase_timestamp" / c.Int64sl * "unix seconds of the last coinbase block",
        "timestamp" / c.Int64sl * "unix seconds of this block",
    ),
    show={
        "cumulative_weight": lambda raw: str(int.from_bytes(raw, "little")),
        "cumulative_proof_target": lambda raw: str(int.from_bytes(raw, "little")),
    },
)

CERTIFICATE_ROW: Final = Layout(
    "certificate_row",
    "value of map 8: where a certificate was committed",
    c.Struct(
        "height" / c.Int32ul * "block height",
        "round" / c.Int64ul * "round of the certificate",
    ),
)

MEMBER: Final = Layout(
    "committee_member",
    "a member of the committee of a height (map 21)",
    c.Struct(
        "address" / c.Bytes(32) * "the validator",
        "stake" / c.Int64ul * "microcredits",
        "is_open" / c.Int8ul * "1 when it takes delegations",
        "commission" / c.Int8ul * "percent",
    ),
)

LAYOUTS: Final = (KEY, HEADER, CERTIFICATE_ROW, MEMBER)

HEADER_SIZE: Final = 280
HEADER_FAST: Final = HEADER.fast()
HEADER_FIELDS: Final = tuple(sub.name for sub in HEADER.struct.subcons)
# places of the fields that tie a block to its neighbours
ROOT_BEFORE, NETWORK, ROUND, HEIGHT, TIMESTAMP = map(
    HEADER_FIELDS.index, ("previous_state_root", "network", "round", "height", "timestamp")
)
MEMBER_FAST: Final = MEMBER.fast()
assert HEADER_FAST.size == HEADER_SIZE
