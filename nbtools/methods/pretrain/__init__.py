"""Methods that learn from images alone, to start other networks."""
