"""Methods that make images of another kind."""
