"""What every floor needs to speak: arguments, units, tolerances, progress."""
