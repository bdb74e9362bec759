"""Hostile bytes without end: `make fuzz`; what it finds becomes a file in samples/crashers and is tried for ever."""
