"""What an observation saw, as one HTML page that needs no network: `seen.report(path)`."""

from limen.insight.report.page import render, report

__all__ = ["render", "report"]
