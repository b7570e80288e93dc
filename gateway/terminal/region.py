"""The last lines of the screen, redrawn in their place while other lines are printed above them."""

import threading
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live

REDRAWS_A_SECOND = 10


class Region:
    """Redraws something ten times a second until it is stopped, and leaves no trace of it.

    rich's own thread may come between a print and its redrawing, and then wipes the wrong lines.
    Here one lock covers both: hold it (`with region:`) to change what is drawn and print at once.
    """

    def __init__(self, console: Console, drawn: RenderableType) -> None:
        self._console = console
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._redraw, daemon=True)
        self._live = Live(
            drawn,
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def moves(self) -> bool:
        """It has been started and not yet stopped."""
        return self._live.is_started

    def start(self) -> None:
        """Begins to draw; the second time it does nothing."""
        if not self._thread.ident:
            self._live.start()
            self._thread.start()

    def stop(self) -> None:
        """Wipes what was drawn."""
        if self.moves:
            self._stopped.set()
            self._thread.join()
            self._live.stop()

    def print(self, text: RenderableType = "") -> None:
        """Prints for good, above what is redrawn."""
        with self._lock:
            self._console.print(text)

    def _redraw(self) -> None:
        while not self._stopped.wait(1 / REDRAWS_A_SECOND):
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
