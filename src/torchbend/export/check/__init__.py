"""Check before the stage: play an exported file as nn~ would, without nn~."""

from torchbend.export.check.findings import Finding
from torchbend.export.check.mark import MARK, code_digest, write_mark
from torchbend.export.check.report import Report, Timing
from torchbend.export.check.run import check, check_structure
from torchbend.export.check.structure import Structure, read_structure

__all__ = [
    "MARK",
    "Finding",
    "Report",
    "Structure",
    "Timing",
    "check",
    "check_structure",
    "code_digest",
    "read_structure",
    "write_mark",
]
