"""Where bytes lie in a gossip store: record header, the BOLT 7 messages and CLN's own records.

Source: common/gossip_store.h:46 (header), common/gossip_store_wire.csv, BOLT 7. All integers big-endian.
"""

from __future__ import annotations

import construct as c

from inspector.formats.gossip_store.addresses import alias, show_addresses, show_color, show_features
from inspector.formats.gossip_store.kinds import (
    KINDS,
    LEAST,
    OLD_SEALED_HEADER,
    SEALED_HEADER,
    kind_name,
    parse_scid,
    scid,
)
from inspector.layout import Layout

_TYPE = "type" / c.Int16ub * "message type"
_SCID = "scid" / c.Int64ub * "short channel id: block, transaction, output"
_FLEN = "flen" / c.Int16ub * "length of features, bytes"
_FEATURES = "features" / c.Bytes(c.this.flen) * "feature bits, big-endian"
_CHAIN = "chain_hash" / c.Bytes(32) * "genesis block hash of the chain"
_LEN = "len" / c.Int16ub * "length of the message inside, bytes"
_SHOW_SCID = {"scid": scid}

HEADER = Layout(
    "header",
    "record header, store version 5 and later",
    c.Struct(
        "flags" / c.Int16ub * "DELETED 8000, PUSH 4000, COMPLETED or RATELIMIT 2000, ZOMBIE 1000, DYING 0800",
        "len" / c.Int16ub * "length of the body, bytes; not covered by the checksum",
        "crc" / c.Int32ub * "CRC-32C of the body, continued from the timestamp as seed",
        "timestamp" / c.Int32ub * "seconds since 1970 of the message; 0 for CLN's own records",
    ),
    show={"flags": lambda v: f"0x{v:04x}", "crc": lambda v: f"{v:08x}"},
)
OLD_HEADER = Layout(
    "old_header",
    "record header, store versions 2 to 4",
    c.Struct(
        "len" / c.Int32ub * "length of the body, bytes",
        "crc" / c.Int32ub * "a checksum that is not standard CRC-32C and cannot be judged",
    ),
    show={"crc": lambda v: f"{v:08x}"},
)
CHANNEL_ANNOUNCEMENT = Layout(
    "channel_announcement",
    "two nodes prove a channel (BOLT 7, type 256)",
    c.Struct(
        _TYPE,
        "node_signature_1" / c.Bytes(64) * "signature by node_id_1",
        "node_signature_2" / c.Bytes(64) * "signature by node_id_2",
        "bitcoin_signature_1" / c.Bytes(64) * "signature by bitcoin_key_1",
        "bitcoin_signature_2" / c.Bytes(64) * "signature by bitcoin_key_2",
        _FLEN,
        _FEATURES,
        _CHAIN,
        _SCID,
        "node_id_1" / c.Bytes(33) * "public key of the lesser node",
        "node_id_2" / c.Bytes(33) * "public key of the greater node",
        "bitcoin_key_1" / c.Bytes(33) * "funding key of node 1",
        "bitcoin_key_2" / c.Bytes(33) * "funding key of node 2",
    ),
    show={**_SHOW_SCID, "features": show_features},
)
NODE_ANNOUNCEMENT = Layout(
    "node_announcement",
    "a node's name and addresses (BOLT 7, type 257)",
    c.Struct(
        _TYPE,
        "signature" / c.Bytes(64) * "signature by node_id",
        _FLEN,
        _FEATURES,
        "timestamp" / c.Int32ub * "seconds since 1970",
        "node_id" / c.Bytes(33) * "public key of the node",
        "rgb_color" / c.Bytes(3) * "colour, red green blue",
        "alias" / c.Bytes(32) * "name chosen by the node, UTF-8 by custom, zero-padded",
        "addrlen" / c.Int16ub * "length of addresses, bytes",
        "addresses" / c.Bytes(c.this.addrlen) * "where the node listens",
        "tlvs" / c.GreedyBytes * "optional TLV stream",
    ),
    show={"alias": alias, "rgb_color": show_color, "addresses": show_addresses, "features": show_features},
)
CHANNEL_UPDATE = Layout(
    "channel_update",
    "one direction's fees and limits (BOLT 7, type 258)",
    c.Struct(
        _TYPE,
        "signature" / c.Bytes(64) * "signature by the node of this direction",
        _CHAIN,
        _SCID,
        "timestamp" / c.Int32ub * "seconds since 1970",
        "message_flags" / c.Int8ub * "bit 0: htlc_maximum_msat is present",
        "channel_flags" / c.Int8ub * "bit 0: direction, bit 1: disabled",
        "cltv_expiry_delta" / c.Int16ub * "blocks",
        "htlc_minimum_msat" / c.Int64ub * "millisatoshi",
        "fee_base_msat" / c.Int32ub * "millisatoshi per payment",
        "fee_proportional_millionths" / c.Int32ub * "millionths of the amount",
        "htlc_maximum_msat" / c.Int64ub * "millisatoshi",
    ),
    show=_SHOW_SCID,
)
SHORT_CHANNEL_UPDATE = Layout(
    "channel_update_130",
    "channel_update before htlc_maximum_msat became mandatory (130 bytes)",
    c.Struct(*CHANNEL_UPDATE.struct.subcons[:-1]),
    show=_SHOW_SCID,
)
CHANNEL_AMOUNT = Layout(
    "channel_amount",
    "capacity of the announcement before it (type 4101)",
    c.Struct(_TYPE, "satoshis" / c.Int64ub * "satoshi"),
)
PRIVATE_UPDATE = Layout(
    "private_update",
    "update of an unannounced channel (type 4102, versions 5 to 12)",
    c.Struct(_TYPE, _LEN, "update" / c.Bytes(c.this.len) * "a channel_update"),
    private=frozenset({"update"}),
)
DELETE_CHAN = Layout(
    "delete_chan", "tombstone: this channel is closed (type 4103)", c.Struct(_TYPE, _SCID), show=_SHOW_SCID
)
PRIVATE_CHANNEL = Layout(
    "private_channel",
    "an unannounced channel (type 4104, versions 9 to 12)",
    c.Struct(
        _TYPE,
        "satoshis" / c.Int64ub * "satoshi",
        _LEN,
        "announcement" / c.Bytes(c.this.len) * "a channel_announcement with zero signatures",
    ),
    private=frozenset({"satoshis", "announcement"}),
)
ENDED = Layout(
    "ended",
    "this store was replaced by a new one (type 4105)",
    c.Struct(
        _TYPE,
        "equivalent_offset" / c.Int64ub * "byte offset in the new store",
        "uuid" / c.GreedyBytes * "uuid of the new store, 32 bytes from version 16",
    ),
)
CHAN_DYING = Layout(
    "chan_dying",
    "the funding output was spent (type 4106)",
    c.Struct(_TYPE, _SCID, "blockheight" / c.Int32ub * "height at which the channel is forgotten"),
    show=_SHOW_SCID,
)
UUID = Layout("uuid", "identity of this store (type 4107)", c.Struct(_TYPE, "uuid" / c.Bytes(32) * "random bytes"))
LOCAL_ADD_CHANNEL = Layout(
    "local_add_channel",
    "an unannounced channel (type 3503, versions 4 to 8)",
    c.Struct(
        _TYPE,
        _SCID,
        "remote_node_id" / c.Bytes(33) * "public key of the other node",
        "satoshis" / c.Int64ub * "satoshi",
        _FLEN,
        _FEATURES,
    ),
    private=frozenset({"scid", "remote_node_id", "satoshis", "features"}),
    show={**_SHOW_SCID, "features": show_features},
)


def _wrapper(name: str, title: str, with_amount: bool) -> Layout:
    amount = ["satoshis" / c.Int64ub * "satoshi"] if with_amount else []
    return Layout(name, title, c.Struct(_TYPE, _LEN, "message" / c.Bytes(c.this.len) * "the message", *amount))


# kinds are the first two body bytes; 4096-4100 only exist in store versions 1 to 3
LAYOUT_OF: dict[int, Layout] = {
    256: CHANNEL_ANNOUNCEMENT,
    257: NODE_ANNOUNCEMENT,
    258: CHANNEL_UPDATE,
    3503: LOCAL_ADD_CHANNEL,
    4096: _wrapper("old_channel_announcement", "wrapped channel_announcement (versions 1 to 3)", True),
    4097: _wrapper("old_channel_update", "wrapped channel_update (versions 1 to 3)", False),
    4098: _wrapper("old_node_announcement", "wrapped node_announcement (versions 1 to 3)", False),
    4099: Layout("old_channel_delete", "tombstone (versions 1 to 3)", c.Struct(_TYPE, _SCID), show=_SHOW_SCID),
    4100: _wrapper("old_local_add_channel", "wrapped local_add_channel (versions 1 to 3)", False),
    4101: CHANNEL_AMOUNT,
    4102: PRIVATE_UPDATE,
    4103: DELETE_CHAN,
    4104: PRIVATE_CHANNEL,
    4105: ENDED,
    4106: CHAN_DYING,
    4107: UUID,
}
LAYOUTS = (HEADER, OLD_HEADER, *LAYOUT_OF.values(), SHORT_CHANNEL_UPDATE)


def layout_for(kind: int, length: int) -> Layout | None:
    """The layout of a body of this type and length."""
    if kind == 258 and length == 130:
        return SHORT_CHANNEL_UPDATE
    return LAYOUT_OF.get(kind)


__all__ = [
    "KINDS",
    "LAYOUTS",
    "LEAST",
    "OLD_SEALED_HEADER",
    "SEALED_HEADER",
    "kind_name",
    "layout_for",
    "parse_scid",
    "scid",
]
