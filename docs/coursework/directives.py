"""The directives of the course's pages: cells that run, drawings, sounds, exercises, numbers.

``cell``
    Python that runs when the page is built. What it prints, or the value of its last line, stands
    below it. The cells of a page share their names.
``drawing``
    An expression that gives a drawing or a chart.
``sound``
    An expression that gives a sound.
``exercise``
    An exercise of ``upsim.course`` by its number, with a box for the answer.
``v`` (a role)
    Text whose braces hold expressions: the numbers in a sentence.

A cell that raises fails the build, with its page and line.
"""

import html
import json
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective, SphinxRole

from coursework.cells import Page
from coursework.sounds import Sound
from coursework.svg import Drawing
from upsim.course import exercise
from upsim.course.exercise import NumberExercise


def page_of(env):
    """Return the names of the page that is being read; new ones for each page."""
    pages = env.temp_data
    if "course_page" not in pages:
        pages["course_page"] = Page(env.docname)
    return pages["course_page"]


class Cell(SphinxDirective):
    """Run Python, and show it with what it says."""

    has_content = True
    option_spec: ClassVar = {"hide": directives.flag}

    def run(self):
        """Return the code, unless it is hidden, and its output."""
        code = "\n".join(self.content)
        outcome = page_of(self.env).run(code, f"{self.env.docname}:{self.lineno}")
        made = []
        if "hide" not in self.options:
            shown = nodes.literal_block(code, code, language="python", classes=["up-cell"])
            made.append(shown)
        said = outcome.printed
        if isinstance(outcome.value, Drawing):
            made.append(nodes.raw("", outcome.value.figure(), format="html"))
        elif outcome.value is not None:
            said += f"{outcome.value!r}\n"
        if said.strip():
            block = nodes.literal_block(said, said.rstrip("\n"), language="text")
            block["classes"] += ["up-output"]
            made.append(block)
        return made


class Evaluated(SphinxDirective):
    """A directive whose content is one expression of the page."""

    has_content = True

    def value(self, kind):
        """Return what the expression gives; an error names the page if it is of another kind."""
        place = f"{self.env.docname}:{self.lineno}"
        found = page_of(self.env).run("\n".join(self.content), place).value
        if not isinstance(found, kind):
            raise self.error(f"{place} gives {type(found).__name__}, not {kind.__name__}")
        return found


class DrawingDirective(Evaluated):
    """Show a drawing."""

    def run(self):
        """Return the figure."""
        return [nodes.raw("", self.value(Drawing).figure(), format="html")]


class SoundDirective(Evaluated):
    """Write a sound beside the pages, and show its player."""

    def run(self):
        """Return the figure."""
        made = self.value(Sound)
        number = self.env.new_serialno("course-sound")
        name = f"{self.env.docname.replace('/', '-')}-{number + 1}.wav"
        folder = Path(self.env.app.outdir) / "_sounds"
        folder.mkdir(parents=True, exist_ok=True)
        made.write(folder / name)
        up = "../" * self.env.docname.count("/")
        return [nodes.raw("", made.figure(f"{up}_sounds/{name}"), format="html")]


class ExerciseDirective(SphinxDirective):
    """Show an exercise with the numbers of the page, a box for the answer, and its solution."""

    required_arguments = 1
    final_argument_whitespace = False

    def run(self):
        """Return a section of its own look: question, box, command, solution."""
        found = exercise(self.arguments[0])
        given = found.parameters()
        frame = nodes.container(classes=["up-exercise"])
        title = nodes.paragraph(classes=["up-exercise-title"])
        title += nodes.strong("", f"Exercise {found.number}. {found.title}")
        frame += title
        frame += self.parse_text_to_nodes(found.ask(given))
        if isinstance(found, NumberExercise):
            frame += nodes.raw("", _box(found, given), format="html")
        command = f"python -m upsim.course check {found.number} answers.py"
        frame += self.parse_text_to_nodes(f"With numbers of your own: `{command}`.")
        frame += nodes.raw("", "<details><summary>Solution</summary>", format="html")
        frame += self.parse_text_to_nodes(found.solve(given))
        frame += nodes.raw("", "</details>", format="html")
        return [frame]


def _box(found, given):
    """Return a form that the page's script grades as the command does."""
    told = {
        "right": list(found.answer(given)),
        "tolerance": found.tolerance,
        "mistakes": [[list(each.values), each.hint] for each in found.known_mistakes(given)],
    }
    label = f"Answer to exercise {found.number}, in {found.unit}"
    many = len(told["right"]) > 1
    hint = f"{len(told['right'])} numbers, a space between" if many else "a number"
    data = html.escape(json.dumps(told), quote=True)
    # Without the script the form is of no use, and stays hidden.
    return (
        f'<form class="up-answer" data-exercise="{data}" hidden>'
        f"<label>{html.escape(label)}: "
        f'<input type="text" autocomplete="off" '
        f'placeholder="{hint}"></label> <button type="submit">Check</button>'
        f'<output aria-live="polite"></output></form>'
    )


class NumberRole(SphinxRole):
    """Write numbers that the page's cells have computed."""

    def run(self):
        """Return the text."""
        place = f"{self.env.docname}:{self.lineno}"
        return [nodes.Text(page_of(self.env).text(self.text, place))], []


def setup(app):
    """Register the directives, and the files of the pages' look and boxes."""
    app.add_directive("cell", Cell)
    app.add_directive("drawing", DrawingDirective)
    app.add_directive("sound", SoundDirective)
    app.add_directive("exercise", ExerciseDirective)
    app.add_role("v", NumberRole())
    app.add_css_file("course.css")
    app.add_js_file("course.js", loading_method="defer")
    # One page's cells share one namespace, and a page is read by one process.
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}
