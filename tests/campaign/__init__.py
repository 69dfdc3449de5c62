"""Random networks of the whole catalogue against torch in double precision."""
