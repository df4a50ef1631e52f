"""Label image to tensors and back: encode and decode side by side, plain NumPy, testable in milliseconds."""
