"""Plain findings about a network that was watched, with evidence and a remedy."""

from limen.insight.diagnosis.diagnose import diagnose
from limen.insight.diagnosis.finding import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "diagnose"]
