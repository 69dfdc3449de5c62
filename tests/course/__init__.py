"""The course: its drawings, sounds, derivations, exercises and pages."""
