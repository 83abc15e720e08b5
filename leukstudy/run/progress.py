"""What the terminal is told while a stage runs."""

import os
import time


class Progress:
    """A text stream that puts the time since the study began before each line; LEUKSTUDY_STARTED is its epoch time."""

    def __init__(self, stream) -> None:
        self._stream = stream
        self._began = float(os.environ.get("LEUKSTUDY_STARTED", time.time()))
        self._fresh = True

    def write(self, text: str) -> None:
        """Pass `text` on, each new line with the time before it."""
        for line in text.splitlines(keepends=True):
            if self._fresh and line.strip():
                minutes, seconds = divmod(int(time.time() - self._began), 60)
                self._stream.write(f"[{minutes:02d}:{seconds:02d}] ")
            self._stream.write(line)
            self._fresh = line.endswith("\n")

    def say(self, text: str) -> None:
        """Write one message of our own, on a line of its own."""
        self.write(("" if self._fresh else "\n") + text + "\n")
        self.flush()

    def flush(self) -> None:
        """Flush the stream below."""
        self._stream.flush()
