"""Numbers that say how good a result is: `instances` for labels of nuclei. NumPy and SciPy only, no network."""
