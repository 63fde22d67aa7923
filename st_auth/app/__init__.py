"""The script edge: what app code calls."""
