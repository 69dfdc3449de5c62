"""Lines of a spectrum: where they can be, how strong they are, what made them."""
