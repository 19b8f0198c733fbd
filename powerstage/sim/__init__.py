"""The one room that sees both sides at once: embedded S3, demo, seeded bucket."""

from powerstage.sim.demo import DemoOptions, DemoResult, copy_feed, run_demo
from powerstage.sim.dev_bucket import Seeded, seed_dev_bucket
from powerstage.sim.embedded import EmbeddedS3, blind_to_aws

__all__ = [
    "DemoOptions",
    "DemoResult",
    "EmbeddedS3",
    "Seeded",
    "blind_to_aws",
    "copy_feed",
    "run_demo",
    "seed_dev_bucket",
]
