"""The proof that a picture is true: how far NumPy is from the framework, and what that means."""
