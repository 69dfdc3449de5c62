"""The answer: `predict`, the record that it returns, and what is said of it."""
