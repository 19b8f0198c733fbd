"""The data recipient: discover deliveries, judge them, keep what was accepted, send receipts.

Nothing here knows of the producer; all that both share is the contract, its checks and the
bucket.
"""

from powerstage.consumer.consume import Consumed, consume, feed_contract
from powerstage.consumer.discover import discover
from powerstage.consumer.follow import follow
from powerstage.consumer.judge import DELIVERY_CHECKS, Judgement
from powerstage.consumer.lake import Lake

__all__ = [
    "DELIVERY_CHECKS",
    "Consumed",
    "Judgement",
    "Lake",
    "consume",
    "discover",
    "feed_contract",
    "follow",
]
