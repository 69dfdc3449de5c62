"""What is read from a stack besides its lines: replicas, overlap, filtering, edges, cost."""
