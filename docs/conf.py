"""How the documentation is built: `make docs`, then open docs/out/index.html. Nothing in the pages comes from another host."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent / "extensions")]

from protocol.version import VERSION

project = "fairshare"
author = "the fairshare contributors"
copyright = f"2026, {author}"  # noqa: A001 since Sphinx names it
release = VERSION

extensions = ["myst_parser", "mathml", "from_code"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

exclude_patterns = ["out", "extensions"]
html_theme = "furo"
html_title = "fairshare"
html_copy_source = False
html_theme_options = {"source_repository": "", "footer_icons": []}
html_static_path = ["style"]
html_css_files = ["mathml.css"]
