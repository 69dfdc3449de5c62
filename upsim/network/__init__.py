"""What a user writes down: weights, signals, a stack."""
