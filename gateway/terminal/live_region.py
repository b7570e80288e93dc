"""The last lines of the screen, redrawn in place while other lines are printed above them."""

import threading
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live

REDRAWS_PER_SECOND = 10


class LiveRegion:
    """Redraws something ten times a second until it is stopped, then erases it.

    The refresh thread of rich 15 may run between a print and the redraw, and then erases the wrong
    lines. Here one lock covers both: hold it (`with region:`) to change what is drawn and print.
    """

    def __init__(self, console: Console, content: RenderableType) -> None:
        self._console = console
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._redraw, daemon=True)
        self._live = Live(
            content,
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def running(self) -> bool:
        """It has been started and not yet stopped."""
        return self._live.is_started

    def start(self) -> None:
        """Starts to draw. Later calls do nothing."""
        if not self._thread.ident:
            self._live.start()
            self._thread.start()

    def stop(self) -> None:
        """Erases what was drawn."""
        if self.running:
            self._stopped.set()
            self._thread.join()
            self._live.stop()

    def print(self, text: RenderableType = "") -> None:
        """Prints something permanent above the region."""
        with self._lock:
            self._console.print(text)

    def _redraw(self) -> None:
        while not self._stopped.wait(1 / REDRAWS_PER_SECOND):
            with self._lock:
                self._live.refresh()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()
