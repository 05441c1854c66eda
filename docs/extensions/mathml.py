"""Formulas as MathML: text in the page, no script, no network, and read out aloud.

Sphinx's own ways are MathJax, two megabytes of script from a server elsewhere, and pictures made
by LaTeX, which would have to be installed. Every browser of today draws MathML itself. What many
machines lack is a font that says how to: so one travels along, cut down to the signs of formulas.
"""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

from docutils import nodes
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from latex2mathml.converter import convert
from sphinx.application import Sphinx

__all__ = ["mathml", "setup"]

_WORD = re.compile(r"\\(?:mathrm|operatorname)\{((?:\\_|[A-Za-z_])+)\}")


def mathml(latex: str, display: str = "inline") -> str:
    """A formula as a `<math>` element.

    >>> mathml("x^2").count("<msup>")
    1
    """
    # A name of several letters is one word, not a product of letters.
    whole = _WORD.sub(lambda m: r"\text{" + m[1].replace(r"\_", "_") + "}", latex)
    return str(convert(whole, display=display))


def inline(self: Any, node: nodes.math) -> None:
    """A formula in a sentence."""
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def displayed(self: Any, node: nodes.math_block) -> None:
    """A formula on a line of its own, that scrolls where it is wider than the page."""
    self.body.append(self.starttag(node, "div", CLASS="formula"))
    self.body.append(mathml(node.astext(), "block"))
    self.body.append("</div>\n")
    raise nodes.SkipNode


# Latin, Greek, punctuation and super- and subscripts, arrows, operators, and italic letters.
_SIGNS = (
    (0x20, 0x7F), (0xA0, 0x180), (0x370, 0x400), (0x2000, 0x20A0), (0x210E, 0x210F),
    (0x2190, 0x21A0), (0x2200, 0x2300), (0x1D434, 0x1D468), (0x1D6FC, 0x1D71C),
)  # fmt: skip


def write_font(app: Sphinx, failed: Exception | None) -> None:
    """Puts STIX Two Math beside the style sheet that names it (SIL Open Font License 1.1)."""
    if failed or app.builder.format != "html":
        return
    font = TTFont(str(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"))
    options = Options()
    options.layout_features = ["*"]
    options.drop_tables += ["FFTM"]
    cut = Subsetter(options)
    cut.populate(unicodes=chain.from_iterable(range(*ends) for ends in _SIGNS))
    cut.subset(font)
    font.flavor = "woff"
    font.save(Path(app.outdir) / "_static" / "math.woff")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
