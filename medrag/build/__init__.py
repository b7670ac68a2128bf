"""Source files to an index: read, encode, write. The left half of the flow."""

from medrag.build.coordinator import build
from medrag.build.plan import ChannelPlan, SourceFile
from medrag.build.report import BuildReport, FileReport

__all__ = ["BuildReport", "ChannelPlan", "FileReport", "SourceFile", "build"]
