"""How the docs are built: `python -m sphinx -W -n -b html docs docs/_build/html`.

Every cell of a page runs while the page is read (`inline`), so that a number in a sentence is an
expression of the page's own kernel and never typed. Nothing is kept from build to build: a cache
would know the text of a page, but not the limen that computed its numbers. What is built loads
nothing from the network: no web fonts, and formulas as MathML (see `extensions/mathml.py`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent / "src")]

# The pages' kernels see the same: this limen, and the easel their pictures are drawn on.
_SEEN = [str(HERE / "story"), str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _SEEN))

from written_pages import missing  # noqa: E402

from limen import __version__  # noqa: E402 (the source beside these pages, installed or not)

project = "limen"
author = "the limen authors"
project_copyright = author
version = release = __version__

extensions = [
    "mathml",
    "written_pages",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build", "jupyter_execute", "**/.ipynb_checkpoints"]
templates_path: list[str] = []

# --- Pages -----------------------------------------------------------------------------------
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "inline"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_eval_name_regex = r".+"  # `{eval}` takes an expression: these pages are the project's own code
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
nb_number_source_lines = False

# --- The reference ---------------------------------------------------------------------------
# What is not installed where the docs are built is stood in for, so that its page exists.
autodoc_mock_imports = missing()
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say it in words, with shapes and dtypes
autodoc_preserve_defaults = True
default_role = "literal"  # docstrings mark code with single backticks
# PyTorch's own, NumPy's own, and what a Sequence inherits from collections.abc.
nitpick_ignore_regex = [
    ("py:class", r"(torch\.)?nn\..*Module|numpy\.(ndarray|dtype)|integer -- return .*")
]
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes in a list, beside the properties of the same names

# --- Looks -----------------------------------------------------------------------------------
html_theme = "furo"
html_title = "limen"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"
pygments_style = "friendly"
pygments_dark_style = "github-dark"


def setup(app: Any) -> None:
    """Reads every page at every build: what a page says depends on limen, not on its text alone."""
    app.connect("env-get-outdated", lambda _app, env, *_changes: sorted(env.found_docs))
