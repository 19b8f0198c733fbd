"""Named, deliberate defects: in readings and files, in deliveries, on the wire.

A fault wraps what it spoils, a source or a store; nothing else knows of it.
"""

from powerstage.faults.catalogue import PERIOD_MISSING, Fault, Level, catalogue
from powerstage.faults.inject import Injector, PlannedFault, plan_faults

__all__ = [
    "PERIOD_MISSING",
    "Fault",
    "Injector",
    "Level",
    "PlannedFault",
    "catalogue",
    "plan_faults",
]
