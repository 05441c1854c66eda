"""Plotly's JavaScript, small enough to put into every report.

The bundle is 4.8 MB. Packed with gzip and written as base64 it is 2 MB; the page unpacks it with
`DecompressionStream`, which every browser has had since 2023, and runs it only if its hash is the
one in the page's content security policy.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import NamedTuple

from limen.insight.report.packages import needed

__all__ = ["Library", "plotly_library"]


class Library(NamedTuple):
    """A script, packed.

    Attributes:
        packed: base64 of gzip of its UTF-8 text.
        digest: base64 of the SHA-256 of its UTF-8 text.
        version: of the Python package it came in.
    """

    packed: str
    digest: str
    version: str


@cache
def plotly_library() -> Library:
    """The bundle of the installed plotly, packed once in a process.

    Raises:
        MissingPackageError: if plotly is not installed.
    """
    text: bytes = needed("plotly.offline").get_plotlyjs().encode()
    return Library(
        packed=b64encode(gzip.compress(text, mtime=0)).decode(),
        digest=b64encode(sha256(text).digest()).decode(),
        version=needed("plotly").__version__,
    )
