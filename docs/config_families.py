"""Write the table of families into docs/from-a-config.md.

Usage: ``python docs/config_families.py``.  A test says whether the page is up to date.
"""

from pathlib import Path

from upsim.importers.families import FAMILIES

PAGE = Path(__file__).with_name("from-a-config.md")

BEGIN, END = "<!-- families: begin -->\n", "<!-- families: end -->"


def table():
    """Return the table in Markdown, the families by their names."""
    lines = ["| family | told by its kind | or by fields that stand together | |"]
    lines.append("|---|---|---|---|")
    for family in sorted(FAMILIES, key=lambda each: each.title.lower()):
        kinds = ", ".join(f"`{each}`" for each in family.types) or "–"
        fields = " or ".join(", ".join(f"`{key}`" for key in keys) for keys in family.sets)
        said = f"refused: {family.refusal}" if family.refusal else "read"
        lines.append(f"| {family.title} | {kinds} | {fields} | {said} |")
    return "\n".join(lines) + "\n"


def page_with(made):
    """Return the page with another table."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + made + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page_with(table()), encoding="utf-8")
