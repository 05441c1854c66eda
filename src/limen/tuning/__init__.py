"""Fits tuned kernel tables, tries them, certifies them on every float32, and keeps them.

`tune` is what people call. Behind it, `search` chooses cells and degrees, `layout` and `segment`
fit, `trial` compares with the general tier and measures, and `make` puts it all together.
"""

from limen.tuning.make import tune

__all__ = ["tune"]
