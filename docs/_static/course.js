// Grades the number boxes of the course as upsim.course does: right, a known misconception, or not yet.
"use strict";

(() => {
  const read = (text) => {
    const words = text.replaceAll("−", "-").replace(/[;,](?=\s)/g, " ").trim().split(/\s+/);
    // "12,5" is a decimal comma; a comma before a space parts two numbers.
    return words.map((word) => Number(word.replace(",", ".") || "x"));
  };
  const same = (one, other, tolerance) =>
    one.length === other.length &&
    one.every((value, n) => Math.abs(value - other[n]) <= tolerance * (1 + 1e-9) + 1e-12);

  const verdict = (text, { right, tolerance, mistakes }) => {
    if (!text.trim()) return "Type a number first.";
    const values = read(text);
    if (values.some((value) => !Number.isFinite(value)))
      return "This is not a number. Write it like −9.03, without its unit.";
    if (same(values, right, tolerance)) return "Right.";
    const known = mistakes.find(([wrong]) => same(values, wrong, tolerance));
    if (known) return `Not yet. ${known[1]}`;
    if (values.length !== right.length)
      return `This asks for ${right.length} numbers, and you gave ${values.length}.`;
    return "Not yet.";
  };

  for (const form of document.querySelectorAll("form.up-answer")) {
    const told = JSON.parse(form.dataset.exercise);
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      form.querySelector("output").textContent = verdict(form.querySelector("input").value, told);
    });
  }
})();
