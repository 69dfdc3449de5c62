"""How the course's pages are made: drawings, sounds, and the cells that run when it is built."""
