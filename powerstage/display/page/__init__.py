"""The page: one HTML file that shows a lake to whoever has never heard of us, and asks nobody."""

from powerstage.display.page.render import PutIn, render
from powerstage.display.page.serve import serving

__all__ = ["PutIn", "render", "serving"]
