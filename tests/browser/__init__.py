"""The built site: read as text, and opened in a browser."""
