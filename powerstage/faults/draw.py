"""What the seed decides about faults."""

import hashlib


def draw(seed: int, name: str) -> int:
    """A number below 2**64 that seed and name decide, the same everywhere."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8])
