"""A log as one page or one picture, to be sent and looked at without a server."""

from lstm_probe.explorer.page.contact_sheet import draw_contact_sheet
from lstm_probe.explorer.page.page import PageFacts, write_page

__all__ = ["PageFacts", "draw_contact_sheet", "write_page"]
