"""Settings of the documentation site, built offline; no page asks anything of the network."""

import sys
from pathlib import Path

import upsim

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # coursework: how the course's pages are made
EXAMPLES = HERE.parent / "examples"

project = "upsim"
author = "the upsim authors"
copyright = "2026, the upsim authors"
version = release = upsim.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "coursework.directives",
]
# sg_execution_times: an older gallery build may have left it; it loads tables from a CDN.
exclude_patterns = ["_build", "_static", "sg_execution_times.rst"]

# --- Pages in Markdown
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

# --- Formulas: the vendored file draws SVG with its own glyphs (docs/_static/mathjax/README.md).
mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {
    # autoload and require would fetch TeX packages that are not in the vendored file.
    "tex": {"packages": {"[-]": ["autoload", "require"]}},
    # The menu would fetch what its entries switch on.
    "options": {"enableMenu": False},
}

# --- Reference from the docstrings
autosummary_generate = True
# upsim.audibility and upsim.Audibility: one file on systems that take no notice of case.
autosummary_filename_map = {"upsim.Audibility": "upsim.Audibility-record"}
autodoc_typehints = "none"  # numpydoc's sections name the types, with shapes and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# --- Gallery: every figure script runs when the site is built, and a failing one fails the build.
gallery_scripts = sorted([*EXAMPLES.glob("plot_*.py"), *EXAMPLES.glob("figure*.py")])
if gallery_scripts:
    extensions.append("sphinx_gallery.gen_gallery")
    sphinx_gallery_conf = {
        "examples_dirs": "../examples",
        "gallery_dirs": "gallery",
        "filename_pattern": r"/(plot_|figure)[^/]*\.py$",
        # Asked with a path and, elsewhere, with the name alone.
        "ignore_pattern": r"(^|/)(?!plot_|figure)[^/]*\.py$",
        "within_subsection_order": "FileNameSortKey",
        "abort_on_example_error": True,
        "write_computation_times": False,  # those pages load tables from a CDN
        "capture_repr": (),  # the scripts print what they have to say
        "download_all_examples": False,
        "show_signature": False,
        "show_memory": False,
        "remove_config_comments": True,
    }

# --- Look: the theme's own files only; fonts are the reader's.
html_theme = "pydata_sphinx_theme"
html_title = "upsim"
html_static_path = ["_static"]
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_copy_source = False
# The top pages have no section of their own to list, and the gallery's code needs the width.
html_sidebars = {"*": [], "gallery/*": []}
html_css_files = ["style.css"]
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is set
html_theme_options = {
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "logo": {"text": "upsim"},
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
