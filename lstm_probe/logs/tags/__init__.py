"""What stands under which tag of a log."""
