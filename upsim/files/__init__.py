"""Networks and signals read from files and written to them."""
