"""The page: a view of the observation, its template, and the policy that lets nothing else run."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from limen.errors import LimenError
from limen.insight.report.library import Library, plotly_library
from limen.insight.report.packages import needed
from limen.insight.report.view import view

if TYPE_CHECKING:
    from os import PathLike

    from limen.insight.observing.observation import Observation

__all__ = ["render", "report"]

_TEMPLATES = files("limen.insight.report") / "templates"


def report(
    seen: Observation, path: str | PathLike[str], *, title: str = "What the activations did"
) -> Path:
    """Writes what was seen to one HTML file: the diagnosis, then layer by layer.

    The page holds everything it needs, plotly included (2 MB, compressed), and loads nothing.

    Args:
        seen: what `limen.observe` returned.
        path: the file to write; one that is there is replaced.
        title: the page's heading.

    Returns:
        The path of the file.

    Raises:
        OrderError: when nothing has been seen yet.
        MissingPackageError: if plotly or jinja2 is not installed.
        LimenError: when the file cannot be written.
    """
    text = render(seen, title=title)
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise LimenError(f"cannot write the report {path}: {error}") from error
    return Path(path)


def render(seen: Observation, *, title: str = "What the activations did") -> str:
    """The page of `report` as text."""
    jinja2, markup = needed("jinja2"), needed("markupsafe").Markup
    script, style = ((_TEMPLATES / name).read_text("utf-8") for name in ("page.js", "page.css"))
    library = plotly_library()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("limen.insight.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text: str = environment.get_template("page.html").render(
        **view(seen),
        title=title,
        # Files of this package, the only texts that are not escaped.
        script=markup(script),
        style=markup(style),
        library=library,
        policy=_policy(script, library),
    )
    return text


def _policy(script: str, library: Library) -> str:
    """A content security policy: two scripts, known by their hashes, and no network at all.

    Plotly sets style attributes, so styles are allowed; a style can load nothing under it.
    """
    own = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{own}' 'sha256-{library.digest}'; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
