"""What programs print about their stores: known messages as data, and how a log line is read.

Reading order: message (one entry of a table), cln, spdk, rocksdb, engine_opens, snarkos, subspace (the tables), line (a line without
what carried it, matched). Where a message names a byte, its entry says what that number is the offset of: programs
disagree about that, and within one program so do messages.
"""
