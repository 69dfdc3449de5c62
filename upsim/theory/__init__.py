"""Theory: what flows through a stack, and what is read from it."""
