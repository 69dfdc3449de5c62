"""Calls with one wrong argument, of every public function."""
