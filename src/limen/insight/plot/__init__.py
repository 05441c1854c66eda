"""Pictures of what activation functions do, with matplotlib: public as `limen.plot`.

Every function draws into the `figure` it is given (a `Figure` or `SubFigure` of matplotlib), or
makes one, and returns it: a notebook shows it, `savefig` writes it to a file.
"""

from limen.insight.plot.curves import function
from limen.insight.plot.neurons import neurons
from limen.insight.plot.projection import representations
from limen.insight.plot.training import blocked, distributions, flow

__all__ = ["blocked", "distributions", "flow", "function", "neurons", "representations"]
