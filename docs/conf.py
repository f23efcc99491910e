"""How the site is built: `make docs`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from mclstexp import __version__

HERE = Path(__file__).parent
os.environ["MCLSTEXP_QUIET"] = "1"  # how far a notebook is does not belong on its page
sys.path.insert(0, str(HERE / "_ext"))

project = "mclstexp"
author = "The mclstexp developers"
copyright = "The mclstexp developers, BSD-3-Clause"  # noqa: A001  Sphinx's name
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "reference_pages",
    "example_report",
    "llms_txt",
]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
source_suffix = {".md": "myst-nb"}

# Prose
myst_enable_extensions = ["colon_fence", "deflist", "smartquotes", "tasklist"]
myst_heading_anchors = 3
copybutton_prompt_text = "$ "

# Reference: docstrings are numpydoc, names in single backticks
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
maximum_signature_line_length = 88
napoleon_google_docstring = False
napoleon_custom_sections = ["Returns"]  # prose here, where numpydoc wants a type first
toc_object_entries_show_parents = "hide"
add_module_names = False

# Tutorials are run while the site is built; those that need real data only where it lies
NEEDS_DATA = ("enhance", "her2st", "visium", "whole_slide")
DATA = os.environ.get("MCLSTEXP_DATA", "")
os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")  # tqdm would like widgets; none are shown
nb_execution_mode = "force"
nb_execution_timeout = 1800  # seconds a cell; a busy machine is no error
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_excludepatterns = [] if DATA else [f"tutorials/{name}.md" for name in NEEDS_DATA]
nb_ipywidgets_js = {}  # would be fetched from a network
nb_merge_streams = True

html_theme = "sphinx_book_theme"
html_title = "mclstexp"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "extra_footer": "",
    "navbar_persistent": [],  # the search field stands in the sidebar
}

NOT_RUN = """
:::{note}
This page was built without its data, so its code was not run and its pictures are missing. Set `MCLSTEXP_DATA` to the
folder that holds the data and build again (`make docs`).
:::
"""


def say_not_run(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put a note below the title of a tutorial whose data are not there."""
    folder, _, name = docname.rpartition("/")
    if folder == "tutorials" and name in NEEDS_DATA and not app.config.tutorial_data:
        head, title, text = source[0].partition("\n# ")
        heading, _, rest = text.partition("\n")
        source[0] = f"{head}{title}{heading}\n{NOT_RUN}{rest}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Read every page again where data have come or gone."""
    app.add_config_value("tutorial_data", DATA, "env", types=[str])
    app.connect("source-read", say_not_run)
    return {"parallel_read_safe": True}
