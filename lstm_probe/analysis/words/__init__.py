"""What an analysis says, in figures and in words: every view of an analysis reads it here."""
