"""Results for people and for machines: the terminal and the JSON document.

It reads results and nothing else; ``display.terminal`` and ``display.document`` are its parts.
"""

from powerstage.display.document import document
from powerstage.display.progress import Progress
from powerstage.display.terminal import Terminal

__all__ = ["Progress", "Terminal", "document"]
