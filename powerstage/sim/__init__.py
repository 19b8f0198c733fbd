"""The one room that sees both sides at once: embedded S3 and the demo."""

from powerstage.sim.demo import DemoOptions, DemoResult, run_demo
from powerstage.sim.embedded import EmbeddedS3, blind_to_aws

__all__ = ["DemoOptions", "DemoResult", "EmbeddedS3", "blind_to_aws", "run_demo"]
