"""Named, deliberate defects: in readings, files, commits, the inventory, and on the wire.

Each kind is a record of the catalogue; the plan says where the seed puts it, and is the truth.
A fault wraps what it spoils, a source or a store; nothing else knows of it.
"""

from powerstage.faults.catalogue import catalogue, checks_of_today, names_by_level
from powerstage.faults.fault import Evidence, Fault, Level
from powerstage.faults.inject import Injector
from powerstage.faults.plan import PlannedFault, RowCounts, all_faults, plan_faults
from powerstage.faults.truth import TRUTH, truth_document, truth_of, write_truth

__all__ = [
    "TRUTH",
    "Evidence",
    "Fault",
    "Injector",
    "Level",
    "PlannedFault",
    "RowCounts",
    "all_faults",
    "catalogue",
    "checks_of_today",
    "names_by_level",
    "plan_faults",
    "truth_document",
    "truth_of",
    "write_truth",
]
