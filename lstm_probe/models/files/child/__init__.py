"""The process in which frameworks load and run what files hold, held back by limits.

The command, or the program of the user, asks (`process`), the child answers (`serve`), and frames
of JSON and arrays go between them (`protocol`). Whatever the child sends is checked like a file
from elsewhere: the model may have taken it over.
"""
